# shellcheck shell=bash
# What holds of lab 10.3, asked with kubectl: the same as labctl asks. Sourced by up.sh and
# verify.sh, with KUBECONFIG set to a cluster whose namespace is the lab's.

wrong() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
# same WHAT EXPECTED ACTUAL
same() { [[ $3 == "$2" ]] || wrong "$1: expected $2, is ${3:-nothing}"; }
# of OBJECT JSONPATH
of() { kubectl get "$1" -o "jsonpath=$2"; }

ready='{.status.conditions[?(@.type=="Ready")].status}'
row="select note from lab where id = 1"

nodes_ready() {
  same "Ready of the nodes" "True True True True" \
    "$(of nodes '{.items[*].status.conditions[?(@.type=="Ready")].status}')"
}

rollout_complete() {
  same "generation, and replicas that are asked for, there, updated, ready and available" yes \
    "$(of statefulset/postgres '{.metadata.generation} {.status.observedGeneration} {.spec.replicas} {.status.replicas} {.status.updatedReplicas} {.status.readyReplicas} {.status.availableReplicas}' |
      awk '{print ($1 == $2 && $3 == 3 && $4 == 3 && $5 == 3 && $6 == 3 && $7 == 3) ? "yes" : $0}')"
}

claims_bound() { same "phases of the claims" "Bound Bound Bound" "$(of pvc '{.items[*].status.phase}')"; }

row_is_there() {
  same "the row" "written before the kill" \
    "$(kubectl exec postgres-0 -- psql -XAtq -U postgres -c "$row")"
}

# facts POD: what is compared later: the uids of the pod and its claim, and the volume.
facts() {
  printf '%s %s\n' "$(of "pod/$1" '{.metadata.uid}')" \
    "$(of "pvc/data-$1" '{.metadata.uid} {.spec.volumeName}')"
}

# reattached POD FACTS: another pod, with the claim and the volume of the one before.
reattached() {
  local pod claim volume now
  read -r pod claim volume <<<"$2"
  same "uid and volume of claim data-$1" "$claim $volume" \
    "$(of "pvc/data-$1" '{.metadata.uid} {.spec.volumeName}')"
  same "phase of volume $volume" Bound "$(of "pv/$volume" '{.status.phase}')"
  now=$(of "pod/$1" "{.metadata.uid} {.spec.volumes[?(@.name==\"data\")].persistentVolumeClaim.claimName} $ready")
  [[ ${now%% *} != "$pod" ]] || wrong "pod $1 was not replaced"
  same "claim and readiness of pod $1" "data-$1 True" "${now#* }"
}

# Who postgres-0 is, to itself and to another pod.
identity() {
  local address=$1
  same "labels and names of postgres-0" "postgres-0 0 postgres-0 postgres" \
    "$(of pod/postgres-0 '{.metadata.labels.statefulset\.kubernetes\.io/pod-name} {.metadata.labels.apps\.kubernetes\.io/pod-index} {.spec.hostname} {.spec.subdomain}')"
  same "hostname in postgres-0" postgres-0 "$(kubectl exec postgres-0 -- cat /etc/hostname)"
  service_is_headless
  same "address of postgres-0.postgres" "$address" "$(resolved)"
}
address() { of pod/postgres-0 '{.status.podIP}'; }
resolved() { kubectl exec postgres-1 -- getent hosts postgres-0.postgres | awk '{print $1}'; }

service_is_headless() { same "clusterIP of the Service" None "$(of service/postgres '{.spec.clusterIP}')"; }
budget_stands() { same "maxUnavailable of the budget" 1 "$(of pdb/postgres '{.spec.maxUnavailable}')"; }
