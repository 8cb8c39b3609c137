package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/"
	cniFile        = "/etc/cni/net.d/10-podroutes.conflist"
	resync         = 30 * time.Second
	proxyWait      = 10 * time.Second
	// The mark of the routes made here, so that only those are ever taken away again.
	routeProtocol = netlink.RouteProtocol(0x6c)
)

const cniConfig = `{"cniVersion": "0.4.0", "name": "podroutes", "plugins": [
  {"type": "ptp", "ipMasq": false, "ipam": {
    "type": "host-local", "dataDir": "/run/cni-ipam-state",
    "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": %q}]]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

// podroutes is the pod network of a cluster whose nodes share one link: on its own node it gives the
// CNI plugins their subnet, and it routes every other node's subnet through that node. It enforces
// no NetworkPolicy.
func podroutes(ctx context.Context) error {
	self, podSubnet := os.Getenv("NODE_NAME"), os.Getenv("POD_SUBNET")
	// Not through the kubernetes Service: kube-proxy need not be there yet.
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host:            "https://" + os.Getenv("CONTROL_PLANE_ENDPOINT"),
		BearerTokenFile: serviceAccount + "token",
		TLSClientConfig: rest.TLSClientConfig{CAFile: serviceAccount + "ca.crt"},
	})
	if err != nil {
		return err
	}
	if err := masquerade(podSubnet); err != nil {
		return err
	}

	factory := informers.NewSharedInformerFactory(client, 0)
	nodes := factory.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	poke := func() {
		select {
		case changed <- struct{}{}:
		default: // one pending look serves any number of changes
		}
	}
	if _, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { poke() },
		UpdateFunc: func(any, any) { poke() },
		DeleteFunc: func(any) { poke() },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	for {
		select {
		case <-changed:
		case <-time.After(resync): // somebody may have removed a route by hand
		}
		if err := settle(self, nodes.Lister()); err != nil {
			klog.ErrorS(err, "the routes are not as they should be yet")
		}
	}
}

func settle(self string, lister listers.NodeLister) error {
	nodes, err := lister.List(labels.Everything())
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, node := range nodes {
		if node.Spec.PodCIDR == "" {
			continue
		}
		if node.Name == self {
			awaitProxy()
			if err := writeCNI(node.Spec.PodCIDR); err != nil {
				return err
			}
			continue
		}
		_, subnet, err := net.ParseCIDR(node.Spec.PodCIDR)
		gateway := internalIP(node)
		if err != nil || gateway == nil {
			continue
		}
		wanted[subnet.String()] = true
		route := netlink.Route{Dst: subnet, Gw: gateway, Protocol: routeProtocol}
		if err := netlink.RouteReplace(&route); err != nil {
			return fmt.Errorf("route %s via %s: %w", subnet, gateway, err)
		}
	}
	return dropRoutesBut(wanted)
}

func dropRoutesBut(wanted map[string]bool) error {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4,
		&netlink.Route{Protocol: routeProtocol}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return err
	}
	for i := range routes {
		if routes[i].Dst == nil || wanted[routes[i].Dst.String()] {
			continue
		}
		if err := netlink.RouteDel(&routes[i]); err != nil {
			return fmt.Errorf("removing route %s: %w", routes[i].Dst, err)
		}
	}
	return nil
}

func internalIP(node *corev1.Node) net.IP {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return net.ParseIP(address.Address)
		}
	}
	return nil
}

// awaitProxy holds the first pods back until kube-proxy has set up the cluster's addresses: what a pod
// sends to one of them before goes nowhere, and is tried again only after half a minute. In a mode
// that knows no such chain, or without kube-proxy, the wait is just over soon.
func awaitProxy() {
	for deadline := time.Now().Add(proxyWait); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(cniFile); err == nil {
			return
		}
		if exec.Command("iptables", "-w", "5", "-t", "nat", "-n", "-L", "KUBE-SERVICES").Run() == nil {
			return
		}
	}
}

// writeCNI makes the node Ready: the runtime looks for a configuration in this folder.
func writeCNI(subnet string) error {
	content := fmt.Sprintf(cniConfig, subnet)
	if now, err := os.ReadFile(cniFile); err == nil && string(now) == content {
		return nil
	}
	temporary := filepath.Join(filepath.Dir(cniFile), ".podroutes")
	if err := os.WriteFile(temporary, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, cniFile)
}

// masquerade lets pods reach what is outside the cluster under their node's address.
func masquerade(subnet string) error {
	rule := []string{"POSTROUTING", "-s", subnet, "!", "-d", subnet, "-j", "MASQUERADE"}
	iptables := func(verb string) ([]byte, error) {
		return exec.Command("iptables", append([]string{"-w", "5", "-t", "nat", verb}, rule...)...).CombinedOutput()
	}
	if _, err := iptables("-C"); err == nil {
		return nil
	}
	if out, err := iptables("-A"); err != nil {
		return fmt.Errorf("masquerading pods: %w: %s", err, out)
	}
	return nil
}
