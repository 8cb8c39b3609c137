# shellcheck shell=bash
# Go programs from modules. Sourced by stage scripts.

export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off

go_build() { go build -trimpath -buildvcs=false "$@"; }

# module_version FOLDER MODULE: the version that the go.mod there pins.
module_version() { awk -v module="$2" '$1 == "require" { $0 = substr($0, 9) } $1 == module { print $2; exit }' "$1/go.mod"; }

module_folder() { (cd "$1" && go list -m -f '{{.Dir}}' "$2"); }
