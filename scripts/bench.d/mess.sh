#!/usr/bin/env bash
# What a group of students leaves of lab 10.3, all at once.
#
#   mess.sh KUBECONFIG
set -euo pipefail
export KUBECONFIG=$1

# So that each mess is the same: pods may still be ending from what was put back before.
kubectl rollout status statefulset/postgres --timeout=120s
node=$(kubectl get pod postgres-1 -o 'jsonpath={.spec.nodeName}')
kubectl exec postgres-0 -- psql -XqU postgres -c "delete from lab"
kubectl delete pod postgres-1 --wait=false
kubectl scale statefulset/postgres --replicas=1
kubectl patch service postgres --patch '{"spec": {"selector": {"app.kubernetes.io/name": "nobody"}}}'
kubectl set env statefulset/postgres MINE=1
kubectl create deployment stranger --image=docker.io/library/postgres:17
kubectl create namespace stranger
kubectl cordon "$node"
