# shellcheck shell=bash
# What the scripts share: messages, the cache folder, Debian packages, tidy times. Sourced.

# `wait -p` came with 5.1, EPOCHREALTIME with 5.0; macOS brings 3.2. Nothing before this asks for more.
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)); then
  printf 'error: the scripts need bash 5.1 or later; this is bash %s\n' "$BASH_VERSION" >&2
  printf 'hint: %s\n' 'install a newer one so that it is the first bash on PATH; on macOS: brew install bash' >&2
  exit 1
fi

say() { printf '%s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf 'hint: %s\n' "$@" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

labctl_cache() { printf '%s' "${LABCTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/labctl}"; }

# Milliseconds since the epoch, and a span of them as a person reads it.
now_ms() { printf '%s' "${EPOCHREALTIME/[.,]/}" | cut -c1-13; }
span() {
  local ms=$1
  if ((ms < 60000)); then
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
  else
    printf '%d min %02d s' $((ms / 60000)) $((ms / 1000 % 60))
  fi
}

debian_root() { ((EUID == 0)) && have apt-get && [[ -r /etc/debian_version ]]; }

# Installs those of the named packages that are missing; $1 says what for.
need_packages() {
  local what=$1 missing=() p
  shift
  for p in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null) == ii* ]] || missing+=("$p")
  done
  ((${#missing[@]})) || return 0
  say "installing Debian's ${missing[*]} ($what)"
  local log
  log=$(labctl_cache)/apt.log
  mkdir -p "${log%/*}"
  # The package lists may be older than the mirror, so a failure is tried again with fresh ones.
  export DEBIAN_FRONTEND=noninteractive
  apt_install "${missing[@]}" >"$log" 2>&1 ||
    { apt-get update && apt_install "${missing[@]}"; } >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    die "apt-get could not install ${missing[*]}" "the whole log: $log"
  }
}
apt_install() { apt-get install --yes --no-install-recommends "$@"; }
