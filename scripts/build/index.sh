# shellcheck shell=bash
# Puts stage results together to a bundle. Sourced by the driver.

# The node image goes into the engine now if one answers; labctl does it otherwise.
load_node_image() {
  local folder id
  folder=$(stage_path node-image)
  id=$(<"$folder/node.tar.id")
  docker info >/dev/null 2>&1 || return 0
  docker image inspect "$id" >/dev/null 2>&1 && return
  say "  loading the node image into the engine …"
  docker load --quiet --input "$folder/node.tar" >/dev/null
}

# place STAGE FILE BUNDLE/PATH: the file appears whole. A link where possible: it costs nothing.
place() {
  local from to=$3
  from=$(stage_path "$1")/$2
  [[ $from -ef $to ]] && return
  mkdir -p "${to%/*}"
  rm -f "$to.new"
  ln "$from" "$to.new" 2>/dev/null || cp "$from" "$to.new"
  mv "$to.new" "$to"
}

# digest_of STAGE FILE: computed once, kept beside the file.
digest_of() {
  local file
  file=$(stage_path "$1")/$2
  [[ -s $file.sha256 ]] || {
    sha256sum "$file" | cut -d' ' -f1 >"$file.sha256.new"
    mv "$file.sha256.new" "$file.sha256"
  }
  printf 'sha256:%s' "$(<"$file.sha256")"
}

# tool BUNDLE NAME STAGE MODULE_FOLDER MODULE [VERSION_PREFIX]: places a tool, prints its entry.
tool() {
  local bundle=$1 name=$2 stage=$3 module=$5 version
  version=$(module_version "$4" "$module")
  place "$stage" "$name" "$bundle/tools/$name"
  jq -cn --arg name "$name" --arg version "${version#v}" --arg digest "$(digest_of "$stage" "$name")" --arg source "$module@$version" \
    '{name: $name, version: $version, path: "tools/\($name)", digest: $digest, source: $source}'
}

# image BUNDLE NAME ROLE STAGE FILE IDFILE PATH SOURCE: places an archive, prints its entry.
image() {
  local file
  file=$(stage_path "$4")/$5
  place "$4" "$5" "$1/$7"
  jq -cn --arg name "$2" --arg role "$3" --arg path "$7" --arg digest "$(digest_of "$4" "$5")" \
    --arg id "$(<"$(stage_path "$4")/$6")" --argjson bytes "$(stat -c %s "$file")" --arg source "$8" \
    '{name: $name, role: $role, path: $path, digest: $digest, id: $id, bytes: $bytes, source: $source, packages: true}'
}

# lab_image BUNDLE STAGE: places the image of a stage that says itself what it is, prints its entry.
lab_image() {
  local bundle=$1 stage=$2 folder name tag
  folder=$(stage_path "$stage")
  name=$(<"$folder/name")
  tag=${name##*:}
  image "$bundle" "$name" workload "$stage" image.tar image.id "images/${stage%-image}-${tag#v}.tar" "$(<"$folder/source")"
}

# files BUNDLE STAGE SOURCE: places each file of a stage, prints its entry. FILE.url beside it says
# which file of others it stands for.
files() {
  local bundle=$1 stage=$2 path name
  for path in "$(stage_path "$stage")"/*.yaml; do
    name=${path##*/}
    place "$stage" "$name" "$bundle/files/$name"
    jq -cn --arg name "$name" --arg digest "$(digest_of "$stage" "$name")" --arg source "$3" \
      --arg url "$(<"$path.url")" '{file: true, url: $url, path: "files/\($name)", digest: $digest, source: $source}'
  done
}

# is_bundle FOLDER: whether its index begins as the ones that are written here.
is_bundle() {
  [[ -f $1/index.json && $(head -c 80 "$1/index.json" | tr -d ' \n') == '{"version":1,"platform":"'* ]]
}

# can_hold_a_bundle FOLDER: refuses one with other things in it.
can_hold_a_bundle() {
  [[ ! -e $1 && ! -L $1 ]] && return
  [[ -d $1 ]] || die "$1 is not a folder" "name a folder that is not there yet, or is empty"
  is_bundle "$1" && return
  local within
  # shellcheck disable=SC2035 # names are shown, and given to nothing
  within=$(cd "$1" && shopt -s dotglob nullglob && set -- * && printf '%s ' "${@:1:3}")
  [[ -z ${within// /} ]] || die "$1 is not a bundle and not empty: there are $within" \
    "name a folder that is not there yet, or is empty"
}

# claim FOLDER: makes it a bundle without contents, unless it is one. A build that is interrupted from
# here on leaves a folder that the next one takes for a bundle.
claim() {
  can_hold_a_bundle "$1"
  mkdir -p "$1"
  is_bundle "$1" && return
  jq -n '{version: 1, platform: "linux/amd64", tools: [], images: [], files: []}' >"$1/index.json.new"
  mv "$1/index.json.new" "$1/index.json"
}

# named_in INDEX: the paths that it names, as far as they are inside of the bundle.
named_in() {
  jq -r '[.tools, .images, .charts, .files] | map(. // []) | add | .[].path' "$1" |
    grep -Ex '(tools|images|charts|files)/[^/]+' || true
}

# publish BUNDLE: places everything that is built, and the index last.
publish() {
  local bundle=$1 kubernetes before after path stage
  kubernetes=$(module_version "${here:?}/packages/cluster" k8s.io/kubernetes)
  claim "$bundle"
  before=$(named_in "$bundle/index.json")
  {
    tool "$bundle" kind kind "$here/packages/kind" sigs.k8s.io/kind
    tool "$bundle" kubectl cluster-programs "$here/packages/cluster" k8s.io/kubernetes
    ! stage_done helm || tool "$bundle" helm helm "$here/packages/helm" helm.sh/helm/v4
    image "$bundle" docker.io/library/postgres:17 workload postgres-image postgres-17.tar image.id images/postgres-17.tar \
      "$(<"$(stage_path postgres-image)/source")"
    image "$bundle" "docker.io/kindest/node:$kubernetes" node node-image node.tar node.tar.id "images/node-$kubernetes.tar" \
      "Debian bookworm, k8s.io/kubernetes@$kubernetes, sigs.k8s.io/kind@$(module_version "$here/packages/kind" sigs.k8s.io/kind)"
    for stage in demo-api-image demo-web-image traefik-image toxiproxy-image; do
      ! stage_done "$stage" || lab_image "$bundle" "$stage"
    done
    ! stage_done gateway-api || files "$bundle" gateway-api sigs.k8s.io/gateway-api
  } | jq -s '{version: 1, platform: "linux/amd64", tools: map(select(.role == null and .file == null)),
      images: map(select(.role)), files: map(select(.file) | del(.file))}' >"$bundle/index.json.new"
  if cmp -s "$bundle/index.json.new" "$bundle/index.json"; then
    rm "$bundle/index.json.new"
  else
    mv "$bundle/index.json.new" "$bundle/index.json"
  fi
  # Files that the index named before and names no more; whatever else is there is not ours.
  after=$(named_in "$bundle/index.json")
  while read -r path; do
    [[ -z $path ]] || grep -qxF -e "$path" <<<"$after" || rm -f "$bundle/$path"
  done <<<"$before"
}
