# shellcheck shell=bash
# Stages of a build, cached by content. Sourced by the driver, which defines every stage first:
#
#   define NAME SCRIPT [after=STAGE] [file=PATH] [VAR=VALUE] ...
#
# A stage's key is a hash of its script, of the files and variables named, and of the keys of the
# stages it comes after. Its script runs in an empty folder, which becomes the result by one rename:
# what is in the store is whole. Results of earlier stages reach the script as STAGE_<NAME>.

declare -A stage_key stage_script stage_env

store=$(labctl_cache)/stages
logs=$(labctl_cache)/logs

hash_text() { sha256sum | cut -c1-20; }

# Content and relative names of files and folders.
hash_files() {
  local path
  for path in "$@"; do
    [[ -e $path ]] || die "no such file: $path"
    (cd "$(dirname "$path")" && find "$(basename "$path")" -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
  done
}

define() {
  local name=$1 script=$build/$2 word files=("$build/$2" "$build/debian.sh" "$build/archive.sh") text='' environment=''
  shift 2
  for word in "$@"; do
    case $word in
      after=*)
        text+="after ${word#*=} ${stage_key[${word#*=}]}"$'\n'
        environment+="$(stage_variable "${word#*=}")=$(stage_path "${word#*=}")"$'\n'
        ;;
      file=*) files+=("${word#*=}") ;;
      *)
        text+=$word$'\n'
        environment+=$word$'\n'
        ;;
    esac
  done
  stage_key[$name]=$({ printf '%s' "$text" && hash_files "${files[@]}"; } | hash_text)
  stage_script[$name]=$script
  stage_env[$name]=$environment
}

stage_path() { printf '%s' "$store/$1-${stage_key[$1]}"; }
stage_variable() {
  local name=${1//-/_}
  printf 'STAGE_%s' "${name^^}"
}
stage_done() { [[ -d $(stage_path "$1") ]]; }

# run NAME: makes the stage's result unless it is there. Fails with the end of the log.
run() {
  local name=$1 result work log started environment
  result=$(stage_path "$name")
  if stage_done "$name"; then
    touch "$result"
    return
  fi
  work=$store/.$name.$BASHPID
  log=$logs/$name.log
  rm -rf "$work"
  mkdir -p "$work" "$logs"
  say "  $name …"
  started=$(now_ms)
  mapfile -t environment < <(printf '%s' "${stage_env[$name]}")
  if (cd "$work" && env "${environment[@]}" BUILD="$build" SCRIPTS="$here" bash -euo pipefail "${stage_script[$name]}") >"$log" 2>&1; then
    rm -rf "$result"
    mv "$work" "$result"
    say "✓ $name  $(span $(($(now_ms) - started)))"
    return
  fi
  rm -rf "$work"
  say "✗ $name  after $(span $(($(now_ms) - started))); the end of $log:"
  tail -n 15 "$log" | sed 's/^/  | /' >&2
  return 1
}
