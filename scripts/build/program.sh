# shellcheck shell=bash
# Images of programs that need nothing but themselves. Sourced by stage scripts.

# program_image NAME CONFIG SOURCE PROGRAM=PATH...: writes image.tar, and beside it what the bundle's
# index says of it.
program_image() {
  local name=$1 config=$2 source=$3 pair layers
  shift 3
  mkdir image files files/tmp
  chmod 1777 files/tmp
  for pair; do install -D -m 0755 "${pair%%=*}" "files/${pair#*=}"; done
  oci_layout image
  plain_tar files >layer.tar
  layers="[$(oci_layer image layer.tar zstd)]"
  config=$(jq -c --arg source "$source" '.Labels += {"dev.labctl.built-from": $source}' <<<"$config")
  oci_image image "$config" "$layers" "$name" >image.id
  plain_tar image >image.tar
  rm -r image files
  printf '%s' "$name" >name
  printf '%s' "$source" >source
}
