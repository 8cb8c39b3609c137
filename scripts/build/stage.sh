# shellcheck shell=bash
# Stages of a build, cached by content. Sourced by the driver, which sets $here (this folder's
# parent) and defines every stage first:
#
#   define NAME [after=STAGE] [file=PATH] [VAR=VALUE] ...
#
# The script build/NAME makes the stage, in an empty folder, which becomes the result by one rename:
# what is in the store is whole. A stage's key is a hash of that script, of what it sources, of the
# files and variables named, and of the keys of the stages it comes after. Their results reach the
# script as STAGE_<NAME>.

declare -A stage_key stage_env

store=$(labctl_cache)/stages
logs=$(labctl_cache)/logs

# Contents and relative names of files and folders.
hash_files() {
  local path
  for path; do
    [[ -e $path ]] || die "no such file: $path"
    (cd "${path%/*}" && find "${path##*/}" -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
  done
}

define() {
  local name=$1 script=${here:?}/build/$1 word files text='' environment='' library variable
  shift
  files=("$script")
  # shellcheck disable=SC2016 # as it is written in the script
  while IFS= read -r library; do files+=("$here/build/$library"); done < <(sed -n 's/^\. "$BUILD\/\(.*\)"$/\1/p' "$script")
  for word; do
    case $word in
      after=*)
        word=${word#*=}
        variable=STAGE_${word//-/_}
        text+="after $word ${stage_key[$word]}"$'\n'
        environment+="${variable^^}=$(stage_path "$word")"$'\n'
        ;;
      file=*) files+=("${word#*=}") ;;
      *)
        text+=$word$'\n'
        environment+=$word$'\n'
        ;;
    esac
  done
  stage_key[$name]=$({ printf '%s' "$text" && hash_files "${files[@]}"; } | sha256sum | cut -c1-20)
  stage_env[$name]=$environment
}

stage_path() { printf '%s' "$store/$1-${stage_key[$1]}"; }
stage_done() { [[ -d $(stage_path "$1") ]]; }

# run NAME: makes the stage's result unless it is there. Fails with the end of the log.
run() {
  local name=$1 result work log started environment
  result=$(stage_path "$name")
  if stage_done "$name"; then
    touch "$result"
    return
  fi
  work=$store/.$name
  log=$logs/$name.log
  mkdir "$work"
  say "  $name …"
  started=$(now_ms)
  mapfile -t environment < <(printf '%s' "${stage_env[$name]}")
  # In mounts of its own: whatever a stage mounts is gone with it, however it ends.
  if (cd "$work" && env "${environment[@]}" BUILD="$here/build" SCRIPTS="$here" \
    unshare --mount bash "$here/build/$name") >"$log" 2>&1; then
    mv "$work" "$result"
    say "✓ $name  $(span $(($(now_ms) - started)))"
    return
  fi
  rm -rf --one-file-system "$work"
  say "✗ $name  after $(span $(($(now_ms) - started))); the end of $log:"
  tail -n 15 "$log" | sed 's/^/  | /' >&2
  return 1
}
