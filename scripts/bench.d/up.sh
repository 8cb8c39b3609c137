#!/usr/bin/env bash
# Lab 10.3 as a careful shell script brings it up: kind, kubectl and `kind load`, the same steps as
# `labctl up 10.3` and the same checks after each of them.
#
#   up.sh NAME DIR [BUNDLE]     DIR: where the kubeconfig and what was noted are kept
#
# kind and kubectl come from PATH, KIND_EXPERIMENTAL_DOCKER_NETWORK names the cluster's network.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/checks.sh"
name=$1 dir=$2 bundle=${3:-}
lab=$here/../../labs/10.3
image=docker.io/library/postgres:17
export KUBECONFIG=$dir/kubeconfig

# in_bundle ROLE FIELD: of the node's image, or of the one that the lab uses
in_bundle() {
  jq -r --arg role "$1" --arg name "$image" \
    ".images[] | select(.role == \$role and (.role == \"node\" or .name == \$name)) | .$2" "$bundle/index.json"
}

# --- the cluster, and the image in its workers ---
if [[ -n $bundle ]]; then
  node=$(in_bundle node id)
  archive=$bundle/$(in_bundle workload path)
  docker image inspect "$node" >/dev/null 2>&1 || docker load --input "$bundle/$(in_bundle node path)"
  digest=$(in_bundle workload digest)
  sha256sum --check --quiet <<<"${digest#sha256:}  $archive"
else
  node=$(sed -n 's/^ *image: \(.*kindest.*\)/\1/p' "$lab/lab.yaml")
  archive=$dir/postgres.tar
  docker image inspect "$image" >/dev/null 2>&1 || docker pull "$image"
  docker save --output "$archive" "$image"
fi
kind create cluster --name "$name" --image "$node" --config - <<'YAML'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes: [{role: control-plane}, {role: worker}, {role: worker}, {role: worker}]
YAML
kubectl config set-context --current --namespace=lab
kind load image-archive "$archive" --name "$name" --nodes "$name-worker,$name-worker2,$name-worker3"
kubectl wait --for=condition=Ready node --all --timeout=180s
nodes_ready

# --- statefulset ---
kubectl apply -f "$lab/manifests/postgres.yaml"
kubectl rollout status statefulset/postgres --timeout=180s
rollout_complete
claims_bound

# --- database ---
kubectl exec postgres-0 -- psql -XqU postgres -v ON_ERROR_STOP=1 \
  -c "create table if not exists lab (id integer primary key, note text not null)" \
  -c "insert into lab (id, note) values (1, 'written before the kill') on conflict (id) do update set note = excluded.note"
row_is_there
before=$(facts postgres-0)

# --- kill-pod ---
kubectl delete pod postgres-0
kubectl wait --for=create pod/postgres-0 --timeout=60s
kubectl wait --for=condition=Ready pod/postgres-0 --timeout=120s
reattached postgres-0 "$before"
row_is_there

# --- identity: a name may lag behind its pod ---
for ((tries = 90; tries > 0; tries--)); do
  [[ $(resolved || true) != "$(address)" ]] || break
  sleep 1
done
identity "$(address)"
drained=$(facts postgres-2)

# --- drain ---
node=$(of pod/postgres-2 '{.spec.nodeName}')
rollout_complete
budget_stands
kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=120s
kubectl wait --for=create pod/postgres-2 --timeout=60s
kubectl wait --for=jsonpath='{.status.phase}'=Pending pod/postgres-2 --timeout=90s
kubectl wait --for=jsonpath='{.status.disruptionsAllowed}'=0 pdb/postgres --timeout=90s
kubectl wait --for=jsonpath='{.status.currentHealthy}'=2 pdb/postgres --timeout=90s
same "phase of data-postgres-2" Bound "$(of pvc/data-postgres-2 '{.status.phase}')"

# --- budget: asked as a dry run ---
refused=$(kubectl create --raw /api/v1/namespaces/lab/pods/postgres-1/eviction -f - 2>&1 <<'JSON' || true
{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "postgres-1", "namespace": "lab"},
 "deleteOptions": {"dryRun": ["All"]}}
JSON
)
[[ $refused == *"disruption budget"* ]] || wrong "the eviction was not refused: $refused"

# --- uncordon ---
kubectl uncordon "$node"
kubectl rollout status statefulset/postgres --timeout=120s
rollout_complete
claims_bound
reattached postgres-2 "$drained"
service_is_headless
budget_stands
printf '%s\n' "$before" "$drained" >"$dir/facts"
