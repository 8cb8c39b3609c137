//! A student changed things; `reset` puts back what differs, and nothing else.

use std::{fs, time::Instant};

use crate::world::World;

const MANIFEST: &str = "--filename";

/// What students leave: all at once.
pub(crate) fn mess(world: &World) {
    world.at_the_end();
    let before = world.object("statefulset/postgres", "{.spec}");
    let node = world.object("pod/postgres-1", "{.spec.nodeName}");
    world.kubectl(&["delete", "pod", "postgres-1", "--wait=false"]);
    world.sql("delete from lab");
    world.kubectl(&["scale", "statefulset/postgres", "--replicas=1"]);
    let nobody = r#"{"spec":{"selector":{"app.kubernetes.io/name":"nobody"}}}"#;
    world.kubectl(&["patch", "service", "postgres", "--patch", nobody]);
    world.kubectl(&["set", "env", "statefulset/postgres", "MINE=1"]);
    let image = "--image=docker.io/library/postgres:17";
    world.kubectl(&["create", "deployment", "stranger", image]);
    world.kubectl(&["create", "namespace", "stranger"]);
    world.kubectl(&["cordon", &node]);

    let began = Instant::now();
    world
        .labctl(&["reset"])
        .exits(0)
        .says("- namespace/stranger  was not there")
        .says("- deployment/stranger  was not there")
        .says(&format!("~ node/{node}  is cordoned, was not"))
        .says("spec.replicas is 1, was 3")
        .says("spec.template.spec.containers[postgres].env[MINE] was added")
        .says("~ data of postgres-0");
    world.figure(format!("reset after a mess: {:.1?}", began.elapsed()));
    world.verify(0);
    assert_eq!(world.object("statefulset/postgres", "{.spec}"), before);
    assert_eq!(world.absent("namespace/stranger"), "");
    assert_eq!(world.absent("deployment/stranger"), "");
    world.labctl(&["status"]).exits(0).says("8/8 uncordon");

    let began = Instant::now();
    world
        .labctl(&["reset"])
        .exits(0)
        .says("nothing differed, and it holds");
    world.figure(format!(
        "reset with nothing to undo: {:.1?}",
        began.elapsed()
    ));
}

/// `--dry-run` shows, and changes nothing.
pub(crate) fn dry_run(world: &World) {
    world.at_the_end();
    world.kubectl(&["create", "configmap", "mine"]);
    world.kubectl(&["label", "service", "postgres", "mine=1"]);
    let journal = world
        .state()
        .join(format!("envs/{}/journal.jsonl", world.name));
    let before = fs::read(&journal).expect("a journal");
    world
        .labctl(&["reset", "--dry-run"])
        .exits(0)
        .says("- configmap/mine  was not there")
        .says("~ service/postgres  metadata.labels.mine was added");
    assert_eq!(fs::read(&journal).expect("a journal"), before);
    world.kubectl(&["get", "configmap", "mine"]);
    world.labctl(&["reset"]).exits(0);
    assert_eq!(world.absent("configmap/mine"), "");
    world
        .labctl(&["reset", "--dry-run"])
        .exits(0)
        .says("nothing differs");
}

/// Deletions that something holds up are named and brought to their end; what refuses everything
/// does not keep anything from being put back; a Secret comes back from the lab's own manifest.
pub(crate) fn held_up(world: &World) {
    world.at_the_end();
    let before = world.object("secret/postgres", "{.data}");
    let manifest = world.scratch("mine.yaml");
    fs::write(&manifest, HELD_UP).expect("a manifest");
    world.kubectl(&["apply", MANIFEST, &manifest.to_string_lossy()]);
    world.kubectl(&["delete", "namespace", "held", "--wait=false"]);
    let other = r#"{"data":{"POSTGRES_PASSWORD":"b3RoZXI=","MINE":"eA=="}}"#;
    world.kubectl(&["patch", "secret", "postgres", "--patch", other]);
    let refuses = world.scratch("refuses.yaml");
    fs::write(&refuses, REFUSES).expect("a manifest");
    world.kubectl(&["apply", MANIFEST, &refuses.to_string_lossy()]);
    world
        .labctl(&["reset"])
        .exits(0)
        .says("- validatingwebhookconfiguration/refuses  was not there")
        .says("- namespace/held  was not there")
        .says("held up by the finalizer example.org/nobody, which labctl takes away")
        .says("~ secret/postgres");
    assert_eq!(world.absent("namespace/held"), "");
    assert_eq!(world.object("secret/postgres", "{.data}"), before);
    world.verify(0);
}

/// What the cluster came with is put back, and what is in its controller's way goes: a pod held up by
/// a finalizer, and one of an older revision that never gets ready.
pub(crate) fn baseline(world: &World) {
    world.at_the_end();
    let system = "--namespace=kube-system";
    world.kubectl(&["scale", "deployment/coredns", system, "--replicas=0"]);
    let held = r#"{"metadata":{"finalizers":["example.org/nobody"]}}"#;
    world.kubectl(&["patch", "pod", "postgres-1", "--patch", held]);
    world.kubectl(&["delete", "pod", "postgres-1", "--wait=false"]);
    let began = Instant::now();
    world
        .labctl(&["reset"])
        .exits(0)
        .says("~ deployment/coredns in namespace kube-system  spec.replicas is 0, was 2")
        .says("its deletion is held up by the finalizer example.org/nobody");
    world.figure(format!(
        "reset after a finalizer and without DNS: {:.1?}",
        began.elapsed()
    ));
    world.verify(0);

    let fails =
        r#"[{"op":"add","path":"/spec/template/spec/containers/0/command","value":["false"]}]"#;
    let set = "statefulset/postgres";
    world.kubectl(&["patch", set, "--type=json", "--patch", fails]);
    let waiting = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1";
    world.kubectl(&["wait", "pod/postgres-2", waiting, "--timeout=60s"]);
    world.kubectl(&["rollout", "undo", set]);
    world
        .labctl(&["reset"])
        .exits(0)
        .says("~ pod/postgres-2  it is of an older revision than statefulset/postgres");
    world.verify(0);
    world
        .labctl(&["reset", "--dry-run"])
        .exits(0)
        .says("nothing differs");
}

/// Back to an earlier step, and to one at which a fault is open; then on to the end.
pub(crate) fn earlier(world: &World) {
    world.at_the_end();
    world.labctl(&["reset", "--to", "database"]).exits(0);
    world.labctl(&["status"]).exits(0).says("3/8 database");
    world.labctl(&["verify", "--to", "database"]).exits(0);
    // The pod is compared with the one that is there now.
    let verified = world.verify(1);
    assert_eq!(verified.step("kill-pod").state, "pending");
    world
        .labctl(&["reset", "--to", "identity"])
        .exits(2)
        .says("was not at step `identity` yet")
        .says("labctl up 10.3 --to identity");
    world.at_the_end();
    world.labctl(&["reset", "--to", "drain"]).exits(0);
    let node = "{.items[*].spec.unschedulable}";
    assert_eq!(world.object("nodes", node), "true");
    world.labctl(&["status"]).exits(0).says("6/8 drain");
    world.at_the_end();
    assert_eq!(world.object("nodes", node), "");
    world.verify(0);
}

/// A claim is gone for good: its data comes back, and what was recorded of it is recorded anew.
pub(crate) fn lost_claim(world: &World) {
    world.at_the_end();
    world.kubectl(&["delete", "pvc", "data-postgres-0", "--wait=false"]);
    world
        .labctl(&["reset"])
        .exits(0)
        .says("+ persistentvolumeclaim/data-postgres-0  is missing")
        .says("the steps from there on are done again");
    world.verify(0);
    world.labctl(&["status"]).exits(0).says("8/8 uncordon");
}

/// The cluster is another one afterwards, and the lab stands where it stood.
pub(crate) fn hard(world: &World) {
    world.no_further_than("database");
    let uid = world.object("namespace/kube-system", "{.metadata.uid}");
    world.labctl(&["reset", "--hard"]).exits(0);
    assert_ne!(
        world.object("namespace/kube-system", "{.metadata.uid}"),
        uid
    );
    world.labctl(&["status"]).exits(0).says("3/8 database");
    world.labctl(&["verify", "--to", "database"]).exits(0);
}

/// A namespace with something in it that nobody will ever let go.
const HELD_UP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: held}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: held, namespace: held, finalizers: [example.org/nobody]}
";

/// Refuses every change of a Secret or a Service, as nobody answers for it.
const REFUSES: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: refuses}
webhooks:
- name: refuses.example.org
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  clientConfig: {service: {namespace: lab, name: nobody}}
  rules:
  - {apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [secrets, services]}
";
