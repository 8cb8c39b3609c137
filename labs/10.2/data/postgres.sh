# The data of a whole Postgres server: its roles, its settings and all its databases. labctl runs this
# in the pod, as `bash -c SCRIPT data COMMAND`:
#
#   fingerprint   prints a line for each part of the data, which is the same as long as the part is
#   save          prints SQL that makes all of it anew beside what is there, and swaps it in at its end
#   restore       runs what `save` printed, without the databases that are the same
#
# Whoever ends a `restore`, at whatever moment, leaves the old data or the new: all databases change
# their names in one transaction. What it leaves beside them, the next one drops.
set -euo pipefail
shopt -s inherit_errexit

# Over TCP: while the image initialises an empty data directory, it runs a temporary server that listens
# on the Unix socket only.
export PGHOST=127.0.0.1 PGUSER=${POSTGRES_USER:-postgres} PGDATABASE=postgres
export PGAPPNAME=labctl PGCLIENTENCODING=UTF8
# Values are compared as text, so how they are written may not depend on what somebody has set.
export PGOPTIONS="-c client_min_messages=error -c search_path= -c datestyle=ISO -c timezone=UTC
  -c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex -c jit=off
  -c default_transaction_read_only=off -c statement_timeout=0 -c max_parallel_workers_per_gather=0"

die() {
  printf '%s\n' "$*" >&2
  exit 1
}
sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }
digest() { sha256sum | cut -c 1-32; }

# The databases that `restore` makes and drops.
own="datname ~ '^labctl_(new_|old_|swap$)'"
# Those that are saved.
kept="datallowconn and not $own"

databases() { sql --command="select datname from pg_database where $kept order by datname"; }

# Without what differs from dump to dump of the same data.
plain() { sed -E -e '/^\\(un)?restrict [A-Za-z0-9]+$/d' -e '/^-- Dumped /d' -e '/^(--)?$/d'; }

roles() { pg_dumpall --roles-only | plain | sed "s/ VALID UNTIL 'infinity'//"; }

# Gives SQL that makes the database to which it is connected, still empty, under the name :'new'.
made="select sql from (
  with d as (
    select d.*, to_jsonb(d) as j, pg_get_userbyid(datdba) as owner, t.spcname
    from pg_database d join pg_tablespace t on t.oid = dattablespace where datname = current_database()
  ), f as (
    select *, coalesce(j->>'datlocale', j->>'daticulocale') as locale,
      case datlocprovider when 'c' then 'libc' when 'i' then 'icu' else 'builtin' end as provider from d
  )
  select 1 as at, format('create database %I with template = template0 encoding = %L locale_provider = %s '
    'lc_collate = %L lc_ctype = %L%s%s tablespace = %I connection limit = %s is_template = %s', :'new',
    pg_encoding_to_char(encoding), provider, datcollate, datctype,
    case provider when 'icu' then format(' icu_locale = %L', locale)
      when 'builtin' then format(' builtin_locale = %L', locale) else '' end,
    coalesce(' icu_rules = ' || quote_literal(j->>'daticurules'), ''),
    spcname, datconnlimit, datistemplate::text) as sql from f
  union all select 2, format('alter database %I owner to %I', :'new', owner) from f
  union all select 3, format('comment on database %I is %L', :'new', c)
    from f, shobj_description(oid, 'pg_database') c where c is not null
  union all select 4, format('revoke all on database %I from public, %I', :'new', owner)
    from f where datacl is not null
  union all select 5, format('grant %s on database %I to %s%s', privilege_type, :'new',
      case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
      case when is_grantable then ' with grant option' else '' end)
    from f, aclexplode(datacl)
  union all select 6, format('alter %s set %I to %s',
      case setrole when 0 then format('database %I', :'new')
        else format('role %I in database %I', pg_get_userbyid(setrole), :'new') end,
      split_part(c, '=', 1),
      -- These are lists of names, which are quoted already.
      case when split_part(c, '=', 1) in ('search_path', 'temp_tablespaces', 'session_preload_libraries',
          'local_preload_libraries') then substr(c, strpos(c, '=') + 1)
        else quote_literal(substr(c, strpos(c, '=') + 1)) end)
    from f join pg_db_role_setting on setdatabase = oid, unnest(setconfig) c
) as lines order by at, sql"

# What a check of `column in (…)` reads like depends on how often it was dumped before.
schema() { pg_dump --schema-only "--dbname=$1" | plain | sed -E '/= ANY \(+ARRAY\[/ s/::text(\[\])?|[()]//g'; }

# A line for each part of the database $1. Of the rows of a table it is their number and the sum of
# their hashes: that takes the same little memory for any number of them, and leaves their order out.
describe() {
  local schema
  schema=$(schema "$1" | digest)
  sql --set=new=labctl_new --set=schema="$schema" "--dbname=$1" <<SQL
begin isolation level repeatable read read only;
select format('database %s: %s %s', current_database(), :'schema', md5(string_agg(sql, ';'))) from ($made) as made;
with r as (
  select relkind, format('%I.%I', nspname, relname) as name,
    format('database %s, ', current_database()) as of
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'S') and relpersistence <> 't'
    and nspname <> 'information_schema' and nspname !~ '^pg_'
    and not exists (select from pg_depend
      where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
)
select case relkind
  when 'r' then format('select %L || count(*) || '' '' || coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0) from only %s t',
    of || 'table ' || name || ': ', name)
  else format('select %L || last_value || '' '' || is_called from %s', of || 'sequence ' || name || ': ', name) end
from r order by relkind, name \\gexec
select format('database %s, large object %s: %s %s %s', current_database(), l.oid, pg_get_userbyid(lomowner), lomacl,
  sum(hashtextextended(pageno || ' ' || data::text, 0)::numeric))
from pg_largeobject_metadata l left join pg_largeobject on loid = l.oid
group by l.oid, lomowner, lomacl order by l.oid;
commit;
SQL
}

settings="select format('alter system set %I to %L', name, setting) as sql
  from pg_file_settings where sourcefile like '%/postgresql.auto.conf' order by seqno"

fingerprint() {
  local name part
  sql <<SQL
select 'unfinished restore: ' || count(*) from pg_database where $own having count(*) > 0;
select 'database ' || datname || ': allows no connections' from pg_database
where not ($kept) and not $own and datname <> 'template0' order by datname;
select 'settings: ' || md5(coalesce(string_agg(sql, ';'), '')) from ($settings) as s;
SQL
  part=$(roles | digest)
  printf 'roles: %s\n' "$part"
  databases | while IFS= read -r name; do describe "$name"; done
}

save() {
  local closed known name names n=0 part
  closed=$(sql --command="select string_agg(quote_ident(datname), ', ') from pg_database
    where not ($kept) and not $own and datname <> 'template0'")
  [[ -z $closed ]] || die "cannot save what allows no connections: $closed"
  names=$(sql --command="select string_agg(quote_literal(datname), ', ' order by datname) from pg_database where $kept")
  known=$(sql --command="select string_agg(quote_literal(rolname), ', ' order by rolname) from pg_roles where rolname !~ '^pg_'")
  part=$(describe template1 | digest)
  printf -- '-- template1 %s\n\\set ON_ERROR_STOP on\n' "$part"
  # Objects have owners; all else that is to be said of roles is said when the data is swapped in.
  sql --command="select format('select %L where not exists (select from pg_roles where rolname = %L) \\gexec',
    format('create role %I', rolname), rolname) from pg_roles where rolname !~ '^pg_' order by rolname"
  databases | while IFS= read -r name; do
    n=$((n + 1))
    part=$(describe "$name" | digest)
    printf -- '-- database %s %s %s\n' "$n" "$part" "$name"
    sql --set=new="labctl_new_$n" "--dbname=$name" <<<"select sql || ';' from ($made) as made;"
    printf '\\connect labctl_new_%s\nset synchronous_commit = off;\n' "$n"
    # Each dump has a key of its own, which would make all of them differ.
    pg_dump "--dbname=$name" | sed -E 's/^\\(un)?restrict [A-Za-z0-9]+$/\\\1restrict labctl/'
    printf '\\connect :via\n-- end of database %s %s\n' "$n" "$part"
  done
  printf 'begin;\n'
  swap "$names"
  roles | sed '/^CREATE ROLE /d'
  printf 'commit;\n'
  clear_away
  cat <<SQL
select format('drop owned by %I', rolname) from pg_roles where rolname !~ '^pg_' and rolname not in ($known) \\gexec
select format('drop role %I', rolname) from pg_roles where rolname !~ '^pg_' and rolname not in ($known) \\gexec
alter system reset all;
SQL
  sql --command="select sql || ';' from ($settings) as s"
  printf 'select pg_reload_conf();\n\\echo swapped in\n-- complete\n'
}

# SQL that has labctl_new_1, labctl_new_2 … take the names $1, which are in that order, as far as they
# were made; those that have these names, or others, step aside. Then it takes from all roles what
# `roles` gives them.
swap() {
  cat <<SQL
do \$swap\$
declare
  names text[] := array[$1];
  tries int := 0;
  moved text[];
  r record;
begin
  loop
    begin
      select array_agg(datname order by datname) into moved from pg_database d
      where not $own and datname <> 'template0' and (datname <> all (names) or exists (select from pg_database
        where datname = 'labctl_new_' || array_position(names, d.datname::text)));
      perform pg_stat_clear_snapshot();
      perform pg_terminate_backend(pid) from pg_stat_activity where datname = any (moved);
      for i in 1 .. coalesce(cardinality(moved), 0) loop
        execute format('alter database %I rename to %I', moved[i], 'labctl_old_' || i);
      end loop;
      for r in select datname, substr(datname, 12)::int as i from pg_database where datname ~ '^labctl_new_\d+\$' loop
        execute format('alter database %I rename to %I', r.datname, names[r.i]);
      end loop;
      exit;
    exception when object_in_use then
      -- Somebody connected in between.
      tries := tries + 1;
      if tries = 5 then raise; end if;
    end;
  end loop;
  for r in select m.rolname as member, g.rolname as role, b.rolname as giver from pg_auth_members
    join pg_roles m on m.oid = member join pg_roles g on g.oid = roleid join pg_roles b on b.oid = grantor
    where not (m.rolname ~ '^pg_' and g.rolname ~ '^pg_')
  loop
    execute format('revoke %I from %I granted by %I cascade', r.role, r.member, r.giver);
  end loop;
  for r in select rolname, rolvaliduntil from pg_authid where rolname !~ '^pg_' loop
    execute format('alter role %I reset all', r.rolname);
    execute format('alter role %I password null', r.rolname);
    execute format('comment on role %I is null', r.rolname);
    if r.rolvaliduntil is not null then
      execute format('alter role %I valid until %L', r.rolname, 'infinity');
    end if;
  end loop;
end
\$swap\$;
SQL
}

# SQL that drops what `restore` made or put aside.
clear_away() {
  cat <<'SQL'
select format('alter database %I is_template false', datname) from pg_database
where datname ~ '^labctl_(new|old)_' and datistemplate \gexec
select format('drop database %I with (force)', datname) from pg_database where datname ~ '^labctl_(new|old)_' \gexec
SQL
}

# `restore` works while connected to `via`, which stays as it is.
restore() {
  local all head name part said via=labctl_swap same=()
  { clear_away && echo 'drop database if exists labctl_swap with (force);'; } | sql
  all=$(databases)
  read -r head || true
  while IFS= read -r name; do
    part=$(describe "$name" | digest)
    same+=(-e "/^-- database [0-9]+ $part /,/^-- end of database [0-9]+ $part\$/d")
    [[ $head != "-- template1 $part" ]] || via=template1
  done <<<"$all"
  [[ $via == template1 ]] || sql --command='create database labctl_swap template template0'
  said=$(sed -E -e '' "${same[@]}" | psql --no-psqlrc --quiet --set=via="$via" "--dbname=$via" --output=/dev/null --file=-)
  [[ $said == 'swapped in' ]] || die "the data ends too early: nothing was replaced"
  [[ $via == template1 ]] || sql --dbname=template1 --command='drop database labctl_swap with (force)'
}

case ${1-} in
  fingerprint | save) lock=--shared ;;
  restore) lock=--exclusive ;;
  *) die "usage: fingerprint | save | restore" ;;
esac
# A `restore` whose caller is gone may still be at work.
exec 9<"${PGDATA:-/var/lib/postgresql/data}"
flock "$lock" --wait 60 9 || die "another labctl is at work on this data"
# Somebody may have dropped the database that is always there.
sql --command='' 2>/dev/null || export PGDATABASE=template1
"$1"
