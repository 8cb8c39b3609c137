#!/bin/bash
# Starts PostgreSQL under the contract of the public postgres image: the same variables, the same
# folders, the same uid. What comes first on the command line decides:
#   nothing, or flags      postgres, with these flags
#   postgres …             the server; an empty PGDATA is initialised first
#   anything else          that command, as it is
set -euo pipefail

[[ ${1:-} == -* ]] && set -- postgres "$@"

say() { printf 'entrypoint: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}

# NAME or NAME_FILE, a default otherwise. Secrets are often mounted as files.
setting() {
  local name=$1 file=${1}_FILE
  if [[ -n ${!name:-} && -n ${!file:-} ]]; then
    die "set $name or $file, not both"
  fi
  if [[ -n ${!file:-} ]]; then
    printf -v "$name" '%s' "$(<"${!file}")"
  else
    printf -v "$name" '%s' "${!name:-$2}"
  fi
  unset "$file"
}

prepare_folders() {
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 0700 "$PGDATA"
  chmod 3777 /var/run/postgresql
  find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres {} +
}

require_password() {
  [[ -n $POSTGRES_PASSWORD || ${POSTGRES_HOST_AUTH_METHOD:-} == trust ]] && return
  say "the database is not initialised, and no superuser password is given"
  say "set POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) to one"
  die "POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without a password, if that is meant"
}

initialise() {
  local arguments=()
  # Word splitting as in a shell command line is what POSTGRES_INITDB_ARGS is for.
  [[ -n ${POSTGRES_INITDB_ARGS:-} ]] && eval "arguments=($POSTGRES_INITDB_ARGS)"
  [[ -n ${POSTGRES_INITDB_WALDIR:-} ]] && arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"

  if [[ $POSTGRES_DB != postgres ]]; then
    # The single-user server needs no start and stop of a real one.
    postgres --single -j -D "$PGDATA" postgres >/dev/null <<<"CREATE DATABASE \"${POSTGRES_DB//\"/\"\"}\""
    say "database $POSTGRES_DB is created"
  fi
}

# As the superuser, in the database of POSTGRES_DB; stops at the first error.
run_sql() { psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"; }

# One that is not executable is sourced: so it is with the public image.
run_script() {
  if [[ -x $1 ]]; then
    "$1"
  else
    # shellcheck source=/dev/null
    . "$1"
  fi
}

run_scripts() {
  local script
  # Only for these scripts, and on the local socket only: nobody may meet a half-made database.
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
  for script; do
    say "running $script"
    case $script in
      *.sh) run_script "$script" ;;
      *.sql) run_sql -f "$script" ;;
      *.sql.gz) gunzip -c "$script" | run_sql ;;
      *.sql.xz | *.sql.zst) die "$script: only .sql and .sql.gz are understood here" ;;
      *) say "ignoring $script" ;;
    esac
  done
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
}

main() {
  [[ ${1:-} == postgres ]] || exec "$@"

  # What only asks needs no data.
  local argument
  for argument; do
    case $argument in -\? | --help | --describe-config | -V | --version) exec "$@" ;; esac
  done

  if ((EUID == 0)); then
    prepare_folders
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH" "$0" "$@"
  fi
  getent passwd "$EUID" >/dev/null || die "uid $EUID has no name here; run as 999 (postgres) or as root"
  # A folder that the runtime made may belong to somebody else; initdb says so where it matters.
  mkdir -p "$PGDATA"
  chmod 0700 "$PGDATA" 2>/dev/null || true

  # Beside the data while they are made: a container killed meanwhile leaves half of them.
  local unfinished=$PGDATA.unfinished
  if [[ -f $unfinished ]]; then
    say "$PGDATA was never finished; it is initialised anew"
    find "$PGDATA" -mindepth 1 -delete
  fi

  if [[ -s $PGDATA/PG_VERSION ]]; then
    say "$PGDATA holds a database; it is used as it is"
  else
    setting POSTGRES_PASSWORD ''
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS ''
    require_password
    touch "$unfinished" 2>/dev/null || true
    initialise
    shopt -s nullglob
    local scripts=(/docker-entrypoint-initdb.d/*)
    ((${#scripts[@]} == 0)) || run_scripts "${scripts[@]}"
    rm -f "$unfinished"
    say "$PGDATA is initialised"
    unset POSTGRES_PASSWORD
  fi
  exec "$@"
}

main "$@"
