#!/usr/bin/env bash
# What `labctl verify 10.3` checks at the lab's end, asked with kubectl.
#
#   verify.sh KUBECONFIG FACTS     FACTS: a file with a line each of what was noted of postgres-0
#                                  and postgres-2: the uids of pod and claim, and the volume
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/checks.sh"
export KUBECONFIG=$1
{
  read -r before
  read -r drained
} <"$2"

nodes_ready
row_is_there
reattached postgres-0 "$before"
identity "$(address)"
rollout_complete
claims_bound
reattached postgres-2 "$drained"
budget_stands
