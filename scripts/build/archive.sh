# shellcheck shell=bash
# Image archives, written without a container engine. Sourced by stage scripts.

# plain_tar FOLDER: a tar with nothing in it that differs between two builds of the same files.
plain_tar() {
  tar -C "$1" --sort=name --numeric-owner --mtime=@1700000000 --format=gnu -cf - .
}

digest() { sha256sum "$1" | cut -d' ' -f1; }

# image_config LAYER_DIFF_IDS CONFIG: a configuration with everything that is not about the image's
# content fixed, so that the same content has the same id.
image_config() {
  jq -cn --argjson layers "$1" --argjson config "$2" '{
    created: "2024-01-01T00:00:00Z", architecture: "amd64", os: "linux", config: $config,
    rootfs: {type: "layers", diff_ids: $layers},
    history: [$layers[] | {created: "2024-01-01T00:00:00Z", created_by: "labctl scripts/bundle"}]}'
}

# docker_archive OUT LAYER.tar CONFIG: an untagged image for `docker load`: it must never take a tag
# away from an image that somebody pulled. Writes the image's id to OUT.id.
docker_archive() {
  local out=$1 layer=$2 config=$3 folder id diff
  folder=$(mktemp -d ./archive.XXXX)
  diff=$(digest "$layer")
  image_config "[\"sha256:$diff\"]" "$config" >"$folder/config"
  id=$(digest "$folder/config")
  mv "$folder/config" "$folder/$id.json"
  mkdir "$folder/$diff"
  mv "$layer" "$folder/$diff/layer.tar"
  jq -cn --arg id "$id" --arg diff "$diff" '[{Config: "\($id).json", RepoTags: null, Layers: ["\($diff)/layer.tar"]}]' >"$folder/manifest.json"
  plain_tar "$folder" >"$out"
  rm -rf "$folder"
  printf 'sha256:%s' "$id" >"$out.id"
}

# oci_layout FOLDER: begins an OCI image layout.
oci_layout() {
  mkdir -p "$1/blobs/sha256"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
  printf '{"schemaVersion":2,"manifests":[]}' >"$1/index.json"
}

# oci_blob FOLDER FILE: moves the file in; prints its digest and size.
oci_blob() {
  local hash size
  hash=$(digest "$2")
  size=$(stat -c %s "$2")
  mv "$2" "$1/blobs/sha256/$hash"
  printf 'sha256:%s %s' "$hash" "$size"
}

# oci_image FOLDER CONFIG LAYERS NAME...: adds an image under these names. LAYERS is a JSON list of
# {diff, mediaType, digest, size}. Prints the image's id.
oci_image() {
  local folder=$1 config=$2 layers=$3 hash size id name
  shift 3
  image_config "$(jq -c 'map(.diff)' <<<"$layers")" "$config" >blob
  read -r id size <<<"$(oci_blob "$folder" blob)"
  jq -cn --arg id "$id" --argjson size "$size" --argjson layers "$layers" '{
    schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $id, size: $size},
    layers: ($layers | map(del(.diff)))}' >blob
  read -r hash size <<<"$(oci_blob "$folder" blob)"
  for name; do
    jq -c --arg hash "$hash" --argjson size "$size" --arg name "$name" '.manifests += [{
      mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $hash, size: $size,
      platform: {architecture: "amd64", os: "linux"},
      annotations: {"io.containerd.image.name": $name, "org.opencontainers.image.ref.name": ($name | split(":") | last)}}]' \
      "$folder/index.json" >index.new
    mv index.new "$folder/index.json"
  done
  printf '%s' "$id"
}

# oci_layer FOLDER LAYER.tar none|gzip|zstd: moves the layer in; prints its description for oci_image.
oci_layer() {
  local folder=$1 layer=$2 how=$3 diff hash size suffix=''
  diff=$(digest "$layer")
  case $how in
    gzip) gzip -n -6 <"$layer" >"$layer.z" && mv "$layer.z" "$layer" && suffix=+gzip ;;
    zstd) zstd -q -T0 -6 <"$layer" >"$layer.z" && mv "$layer.z" "$layer" && suffix=+zstd ;;
  esac
  read -r hash size <<<"$(oci_blob "$folder" "$layer")"
  jq -cn --arg diff "sha256:$diff" --arg hash "$hash" --argjson size "$size" --arg type "application/vnd.oci.image.layer.v1.tar$suffix" \
    '{diff: $diff, mediaType: $type, digest: $hash, size: $size}'
}
