# The data of a whole Postgres server: its roles, its settings and all its databases. labctl runs this
# in the pod, as `bash -c SCRIPT data COMMAND`:
#
#   fingerprint   prints a line for each part of the data, which is the same as long as the part is
#   save          prints SQL that makes all of it anew beside what is there, and swaps it in at its end
#   restore       runs what `save` printed, without the databases that are the same
#
# Whoever ends a `restore`, at whatever moment, leaves the old data or the new: all databases change
# their names in one transaction. What it leaves beside them, the next one drops. None of the three waits
# for ever for somebody's transaction: the first two fail and say whose it is, `restore` ends it.
set -euo pipefail
shopt -s inherit_errexit

# Over TCP: while the image initialises an empty data directory, it runs a temporary server that listens
# on the Unix socket only.
export PGHOST=127.0.0.1 PGUSER=${POSTGRES_USER:-postgres} PGDATABASE=postgres
# Somebody who locks pg_authid lets nobody connect.
export PGAPPNAME=labctl PGCLIENTENCODING=UTF8 PGCONNECT_TIMEOUT=30
# How SQL is read, how values are written as text, who runs it and how long it may take must not depend on
# what somebody has set for the role, the database or the server.
export PGOPTIONS="-c client_min_messages=error -c lc_messages=C -c role=none -c row_security=off
  -c standard_conforming_strings=on -c quote_all_identifiers=off -c search_path=
  -c session_preload_libraries= -c local_preload_libraries=
  -c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex
  -c lc_monetary=C -c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off
  -c default_transaction_deferrable=off -c lock_timeout=10s -c statement_timeout=0
  -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0
  -c jit=off -c max_parallel_workers_per_gather=0"
# Older servers do not know it.
[[ $(psql --version) =~ [[:space:]]1[56][.] ]] || PGOPTIONS+=" -c transaction_timeout=0"

die() {
  printf '%s\n' "$*" >&2
  exit 1
}
sql() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }
digest() { sha256sum | cut -c 1-32; }

# The databases that `restore` makes and drops.
own="datname ~ '^labctl_(new_|old_|swap$)'"
# Roles and tablespaces that `restore` put aside.
aside="'^labctl_old_[0-9]+$'"
# The databases that are saved.
kept="datallowconn and not $own"

databases() { sql --command="select datname from pg_database where $kept order by datname"; }

# Without what differs from dump to dump of the same data.
plain() { sed -E -e '/^\\(un)?restrict [A-Za-z0-9]+$/d' -e '/^-- Dumped /d' -e '/^(--)?$/d'; }

# SQL for the value $2 of the setting $1. These settings are lists of names, stored with their quotes:
# each name becomes a literal, or `set` would take them all for one (as makeAlterConfigCommand of pg_dump).
value() {
  cat <<SQL
case when lower($1) in ('search_path', 'temp_tablespaces', 'session_preload_libraries',
      'local_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories')
    then coalesce((select string_agg(quote_literal(coalesce(replace(m[1], '""', '"'), rtrim(m[2]))), ', ')
      from regexp_matches($2, '"((?:[^"]|"")*)"|([^",[:space:]][^,]*)', 'g') as m), '''''')
    else quote_literal($2) end
SQL
}

# pg_dumpall leaves out the settings of all roles.
roles() {
  pg_dumpall --roles-only | plain | sed -E -e "s/ VALID UNTIL 'infinity'//" \
    -e '/^(CREATE|ALTER|COMMENT ON) ROLE labctl_old_[0-9]+[ ;]/d'
  sql --command="select format('ALTER ROLE ALL SET %I TO %s;', name, $(value name setting))
    from pg_db_role_setting, unnest(setconfig) with ordinality as c (line, at),
      lateral (select split_part(line, '=', 1) as name, substr(line, strpos(line, '=') + 1) as setting) as s
    where setdatabase = 0 and setrole = 0 order by at"
}

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
      split_part(c, '=', 1), $(value "split_part(c, '=', 1)" "substr(c, strpos(c, '=') + 1)"))
    from f join pg_db_role_setting on setdatabase = oid, unnest(setconfig) c
) as lines order by at, sql"

# Dumps the database \$PGDATABASE. Its name is never an argument: `a=b` would be read as a connection string.
dump() { pg_dump --lock-wait-timeout=10s "$@"; }

# Waits until nobody keeps others from reading the database $1. pg_dump would wait for a view without end.
unlocked() {
  local holder tries
  for ((tries = 0; tries < 10; tries++)); do
    holder=$(PGDATABASE=$1 sql --command="select format('process %s, user %s, %s, holds a lock on %s since %s; '
          'its last statement: %s', pid, usename, state, relation::regclass, xact_start::timestamp(0),
        translate(left(query, 200), e'\n\r', '  '))
      from pg_locks join pg_stat_activity using (pid) join pg_class c on c.oid = relation
      where locktype = 'relation' and mode = 'AccessExclusiveLock' and granted and relpersistence <> 't'
        and pid <> pg_backend_pid()
        and database in (0, (select oid from pg_database where datname = current_database())) limit 1") || return
    [[ -n $holder ]] || return 0
    sleep 1
  done
  die "database $1 cannot be read: $holder"
}

# What a check of `column in (…)` reads like depends on how often it was dumped before.
schema() { PGDATABASE=$1 dump --schema-only | plain | sed -E '/= ANY \(+ARRAY\[/ s/::text(\[\])?|[()]//g'; }

# A line for each part of the database $1. Of the rows of a table it is their number and the sum of
# their hashes: that takes the same little memory for any number of them, and leaves their order out. The
# rows of a materialised view are not counted: they follow from the tables, and a restore can only refresh
# them, so those of a view that was stale, or that asks for the time, would differ after every restore.
describe() {
  local schema
  unlocked "$1" || return
  schema=$(schema "$1" | digest) || return
  PGDATABASE=$1 sql --set=new=labctl_new --set=schema="$schema" <<SQL
begin isolation level repeatable read read only;
select format('database %s: %s %s', current_database(), :'schema', md5(string_agg(sql, ';'))) from ($made) as made;
with r as (
  select relkind, relispopulated, format('%I.%I', nspname, relname) as name,
    format('database %s, ', current_database()) as of
  from pg_class c join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'S', 'm') and relpersistence <> 't'
    and nspname <> 'information_schema' and nspname !~ '^pg_'
    and not exists (select from pg_depend
      where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
)
select case relkind
  when 'r' then format('select %L || count(*) || '' '' || coalesce(sum(hashtextextended((t.*)::text, 0)::numeric), 0) from only %s t',
    of || 'table ' || name || ': ', name)
  when 'm' then format('select %L', of || 'materialised view ' || name || ': '
    || case when relispopulated then 'populated' else 'not populated' end)
  else format('select %L || last_value || '' '' || is_called from %s', of || 'sequence ' || name || ': ', name) end
from r order by relkind, name \\gexec
select format('database %s, large object %s: %s %s %s', current_database(), l.oid, pg_get_userbyid(lomowner), lomacl,
  sum(hashtextextended(pageno || ' ' || data::text, 0)::numeric))
from pg_largeobject_metadata l left join pg_largeobject on loid = l.oid
group by l.oid, lomowner, lomacl order by l.oid;
commit;
SQL
}

settings="select format('alter system set %I to %s', name, $(value name setting)) as sql
  from pg_file_settings where sourcefile like '%/postgresql.auto.conf' order by seqno"

fingerprint() {
  local name part
  sql <<SQL
select 'unfinished restore: ' || count(*) from pg_database where $own having count(*) > 0;
select 'database ' || datname || ': allows no connections' from pg_database
where not ($kept) and not $own and datname <> 'template0' order by datname;
select 'tablespace ' || spcname || ': is there' from pg_tablespace
where spcname !~ '^pg_' and spcname !~ $aside order by spcname;
select 'settings: ' || md5(coalesce(string_agg(sql, ';'), '')) from ($settings) as s;
SQL
  part=$(roles | digest)
  printf 'roles: %s\n' "$part"
  databases | while IFS= read -r name; do describe "$name"; done
}

save() {
  local closed name names n=0 part roles tablespaces
  closed=$(sql --command="select string_agg(quote_ident(datname), ', ') from pg_database
    where not ($kept) and not $own and datname <> 'template0'")
  [[ -z $closed ]] || die "cannot save what allows no connections: $closed"
  names=$(sql --command="select string_agg(quote_literal(datname), ', ' order by datname) from pg_database where $kept")
  roles=$(sql --command="select string_agg(quote_literal(rolname), ', ' order by rolname)
    from pg_roles where rolname !~ '^pg_' and rolname !~ $aside")
  tablespaces=$(sql --command="select string_agg(quote_literal(spcname), ', ' order by spcname)
    from pg_tablespace where spcname !~ '^pg_' and spcname !~ $aside")
  part=$(describe template1 | digest)
  printf -- '-- template1 %s\n\\set ON_ERROR_STOP on\n' "$part"
  # Objects have owners; all else that is to be said of roles is said when the data is swapped in.
  sql --command="select format('select %L where not exists (select from pg_roles where rolname = %L) \\gexec',
    format('create role %I', rolname), rolname) from pg_roles
    where rolname !~ '^pg_' and rolname !~ $aside order by rolname"
  # Its directory is still there if somebody dropped the tablespace.
  sql --command="select format('select %L where not exists (select from pg_tablespace where spcname = %L) \\gexec',
    format('create tablespace %I owner %I location %L', spcname, pg_get_userbyid(spcowner), pg_tablespace_location(oid)),
    spcname) from pg_tablespace where spcname !~ '^pg_' and spcname !~ $aside order by spcname"
  databases | while IFS= read -r name; do
    n=$((n + 1))
    part=$(describe "$name" | digest)
    printf -- '-- database %s %s %s\n' "$n" "$part" "$name"
    PGDATABASE=$name sql --set=new="labctl_new_$n" <<<"select sql || ';' from ($made) as made;"
    printf '\\connect labctl_new_%s\nset synchronous_commit = off;\n' "$n"
    # Each dump has a key of its own, which would make all of them differ.
    PGDATABASE=$name dump | sed -E 's/^\\(un)?restrict [A-Za-z0-9]+$/\\\1restrict labctl/'
    printf '\\connect :via\n-- end of database %s %s\n' "$n" "$part"
  done
  printf 'begin;\n'
  swap "$names" "$roles" "$tablespaces"
  roles | sed '/^CREATE ROLE /d'
  # From here on the new data stands: what fails is a difference of the fingerprint, not an end.
  printf 'commit;\n\\set ON_ERROR_STOP off\nalter system reset all;\n'
  sql --command="select sql || ';' from ($settings) as s"
  printf 'select pg_reload_conf();\n\\echo swapped in\n-- complete\n'
}

# SQL condition for locks that keep somebody from changing databases and roles.
shared="database = 0 and (locktype = 'object' or locktype = 'relation' and mode <> 'AccessShareLock')"

# SQL that has labctl_new_1, labctl_new_2 … take the names $1, which are in that order, as far as they
# were made; databases that have these names, or others, step aside, and so do roles that are not among $2
# and tablespaces that are not among $3. Then it takes from all roles what `roles` gives them.
swap() {
  cat <<SQL
set local lock_timeout = '2s';
do \$swap\$
declare
  names text[] := array[$1];
  roles text[] := array[$2];
  tablespaces text[] := array[$3]::text[];
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
      -- A change that is not committed need not show as a lock, but its transaction has a number.
      perform pg_terminate_backend(pid, 5000) from pg_stat_activity
      where pid <> pg_backend_pid() and (datname = any (moved) or backend_type = 'client backend' and (
        tries > 0 and backend_xid is not null or pid in (select pid from pg_locks where $shared)));
      lock table pg_database, pg_authid, pg_auth_members, pg_db_role_setting, pg_tablespace, pg_parameter_acl
        in share row exclusive mode;
      for r in select oid, datname from pg_database where datname = any (moved) loop
        execute format('alter database %I rename to %I', r.datname, 'labctl_old_' || r.oid);
      end loop;
      for r in select datname, substr(datname, 12)::int as i from pg_database where datname ~ '^labctl_new_[0-9]+\$' loop
        execute format('alter database %I rename to %I', r.datname, names[r.i]);
      end loop;
      exit;
    exception when object_in_use or lock_not_available or deadlock_detected then
      -- Somebody connected in between, or holds a change that did not show.
      tries := tries + 1;
      if tries = 10 then raise; end if;
    end;
  end loop;
  for r in select n from unnest(names) as n where n not in (select datname from pg_database)
    union all select datname from pg_database where datname ~ '^labctl_new_'
  loop
    raise exception 'database % would be left out: nothing was replaced', r.n;
  end loop;
  for r in select m.rolname as member, g.rolname as role, b.rolname as giver from pg_auth_members
    join pg_roles m on m.oid = member join pg_roles g on g.oid = roleid join pg_roles b on b.oid = grantor
    where not (m.rolname ~ '^pg_' and g.rolname ~ '^pg_')
  loop
    execute format('revoke %I from %I granted by %I cascade', r.role, r.member, r.giver);
  end loop;
  for r in select distinct parname,
      case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as role
    from pg_parameter_acl, aclexplode(paracl) where grantee <> 10
  loop
    execute format('revoke all on parameter %I from %s cascade', r.parname, r.role);
  end loop;
  alter role all reset all;
  for r in select oid, rolname, rolvaliduntil from pg_authid where rolname !~ '^pg_' loop
    execute format('alter role %I reset all', r.rolname);
    execute format('alter role %I connection limit -1 password null', r.rolname);
    execute format('comment on role %I is null', r.rolname);
    if r.rolvaliduntil is not null then
      execute format('alter role %I valid until %L', r.rolname, 'infinity');
    end if;
    if r.rolname <> all (roles) and r.rolname !~ $aside and r.rolname <> session_user then
      execute format('alter role %I nologin', r.rolname);
      execute format('alter role %I rename to %I', r.rolname, 'labctl_old_' || r.oid);
    end if;
  end loop;
  for r in select oid, spcname from pg_tablespace
    where spcname !~ '^pg_' and spcname <> all (tablespaces) and spcname !~ $aside
  loop
    execute format('alter tablespace %I rename to %I', r.spcname, 'labctl_old_' || r.oid);
  end loop;
end
\$swap\$;
SQL
}

# Drops what `restore` made or put aside, as far as it can be dropped. What stays is no reason to fail: a
# database is a line of the fingerprint, a role or a tablespace keeps a name that the fingerprint leaves out.
clear_away() {
  local name
  sql --command="select datname from pg_database where datname ~ '^labctl_(new|old)_' or datname = 'labctl_swap'" |
    while IFS= read -r name; do
      # These keep a database from being dropped. The slot of a subscription stays for the one that was
      # restored, or where it is: the publisher may not answer.
      PGDATABASE=$name sql --set=ON_ERROR_STOP=0 <<'SQL' || true
select format('alter subscription %I disable', subname), format('alter subscription %I set (slot_name = none)', subname),
  format('drop subscription %I', subname) from pg_subscription
where subdbid = (select oid from pg_database where datname = current_database()) \gexec
select format('rollback prepared %L', gid) from pg_prepared_xacts where database = current_database() \gexec
SQL
      sql --set=ON_ERROR_STOP=0 --set=name="$name" <<'SQL'
alter database :"name" is_template false;
drop database :"name" with (force);
SQL
    done
  sql --set=ON_ERROR_STOP=0 <<SQL
select format('reassign owned by %I to current_user', rolname), format('drop owned by %I', rolname),
  format('drop role %I', rolname) from pg_roles where rolname ~ $aside \\gexec
select format('drop tablespace %I', spcname) from pg_tablespace where spcname ~ $aside \\gexec
SQL
}

# `restore` works while connected to `via`, which stays as it is.
restore() {
  local all head name part said via=labctl_swap same=()
  sql --output=/dev/null --command="select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid() and pid in (select pid from pg_locks where $shared)"
  clear_away
  all=$(databases)
  read -r head || true
  while IFS= read -r name; do
    # What cannot be read is made anew.
    part=$(describe "$name" | digest) || continue
    same+=(-e "/^-- database [0-9]+ $part /,/^-- end of database [0-9]+ $part\$/d")
    [[ $head != "-- template1 $part" ]] || via=template1
  done <<<"$all"
  [[ $via == template1 ]] || sql --command='create database labctl_swap template template0'
  said=$(sed -E -e '' "${same[@]}" |
    PGDATABASE=$via psql --no-psqlrc --quiet --set=via="$via" --output=/dev/null --file=-)
  [[ $said == 'swapped in' ]] || die "the data ends too early: nothing was replaced"
  # The new data stands, whatever is left beside it.
  PGDATABASE=template1 clear_away || true
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
