#!/bin/sh
# Tells nginx where the API is, and starts it.
#   DEMO_API_HOST   the API's name; one without a dot is a Service beside this pod (default: api);
#                   empty: nothing is passed on
#   DEMO_API_PORT   its port (default: 8080)
set -eu
# Not API_HOST and API_PORT: Kubernetes sets the latter in each pod beside a Service `api`.

fail() {
    echo "entrypoint: $*" >&2
    exit 1
}

host=${DEMO_API_HOST-api}
port=${DEMO_API_PORT:-8080}
case $host in
*[!A-Za-z0-9.-]*) fail "DEMO_API_HOST is no name: $host" ;;
esac
case $port in
'' | *[!0-9]*) fail "DEMO_API_PORT is no number: $port" ;;
esac

# nginx asks the name server by itself, and knows nothing of search domains.
server='' namespace='' services=''
while read -r key first second _; do
    case $key in
    nameserver) [ -n "$server" ] || server=$first ;;
    search) namespace=$first services=$second ;;
    esac
done </etc/resolv.conf
[ -n "$server" ] || fail "/etc/resolv.conf names no name server"
case $server in
*:*) server="[$server]" ;;
esac
case $namespace in
*.svc.*)
    case $host in
    '' | *.*.*) ;;
    *.*) host=$host.$services ;;
    *) host=$host.$namespace ;;
    esac
    ;;
esac

mkdir -p /tmp/nginx
cat >/tmp/nginx/api.conf <<CONF
resolver $server valid=5s;
resolver_timeout 2s;
set \$api "${host:+$host:$port}";
CONF
exec nginx -c /srv/nginx.conf -e /dev/stderr -g 'daemon off;'
