#!/usr/bin/env bash
# Prepares the data folder at the first start, then becomes the server. docs/container.md lists what it takes from the
# environment: what people know from the official image of PostgreSQL, and RUATTN_TEMPLATE and RUATTN_SAMPLE.
set -euo pipefail
shopt -s nullglob

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# $1 may stand in the file that $1_FILE names, where secrets are mounted
from_file() {
  local file=${1}_FILE value
  [ -n "${!file:-}" ] || return 0
  [ -z "${!1:-}" ] || fail "$1 and $file are both set"
  [ -r "${!file}" ] || fail "$file is ${!file}, which cannot be read"
  value=$(< "${!file}")
  export "$1=$value"
  unset "$file"
}

asked_for() {
  case ${!1:-no} in
    yes | on | true | 1) return 0 ;;
    no | off | false | 0) return 1 ;;
    *) fail "$1 is \"${!1}\", which is neither yes nor no" ;;
  esac
}

run_psql() {
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"
}

create_cluster() {
  local options=(--username="$POSTGRES_USER" --auth-local=trust --auth-host="$POSTGRES_HOST_AUTH_METHOD") asked
  read -ra asked <<< "${POSTGRES_INITDB_ARGS:-}"
  if [ -n "${POSTGRES_PASSWORD:-}" ]; then
    options+=(--pwfile=/dev/fd/3)
  fi
  initdb --no-instructions "${options[@]}" "${asked[@]}" 3<<< "${POSTGRES_PASSWORD:-}"
  printf 'host all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >> "$PGDATA/pg_hba.conf"
}

create_databases() {
  if asked_for RUATTN_TEMPLATE; then
    run_psql --dbname=template1 --command='CREATE EXTENSION ruattn_fdw'
    run_psql --dbname=postgres --command='CREATE EXTENSION ruattn_fdw'
  fi
  if [ "$POSTGRES_DB" != postgres ]; then
    run_psql --dbname=postgres --set=name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name"'
  fi
  if asked_for RUATTN_SAMPLE; then
    run_psql --command='SET client_min_messages = warning' --command='CREATE EXTENSION IF NOT EXISTS ruattn_fdw'
    /opt/ruattn/bin/python -m ruattn_fdw.cli.sample
  fi
}

run_init_scripts() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    echo "first start: $file"
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) run_psql --file="$file" ;;
      *.sql.gz) gunzip --stdout "$file" | run_psql ;;
      *) echo "ignored: it is neither .sh nor .sql nor .sql.gz" ;;
    esac
  done
}

# this server listens on its socket only: nobody meets databases that are half prepared
first_start() {
  local options=("${@:2}" -c listen_addresses=) unfinished=$PGDATA/first_start_unfinished
  create_cluster
  touch "$unfinished"
  pg_ctl start --wait --silent --options="${options[*]@Q}"
  (
    export PGHOST=/var/run/postgresql PGUSER=$POSTGRES_USER PGDATABASE=$POSTGRES_DB
    unset PGHOSTADDR
    create_databases
    run_init_scripts
  )
  pg_ctl stop --wait --silent --mode=fast
  rm "$unfinished"
}

check_environment() {
  asked_for RUATTN_TEMPLATE || true
  asked_for RUATTN_SAMPLE || true
  if [ "$POSTGRES_HOST_AUTH_METHOD" = trust ]; then
    echo 'warning: POSTGRES_HOST_AUTH_METHOD=trust lets everybody in who reaches the server'
  elif [ -z "${POSTGRES_PASSWORD:-}" ]; then
    fail "there is no password for $POSTGRES_USER: set POSTGRES_PASSWORD," \
      'or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in who reaches the server'
  fi
}

show_a_query() {
  cat << END
A first query, in psql -U $POSTGRES_USER -d $POSTGRES_DB:
    CREATE EXTENSION IF NOT EXISTS ruattn_fdw;
    SELECT logit FROM attention_score WHERE query = '[0.1, 0.2]' AND key = '[0.3, 0.4]';
END
}

case ${1:-} in
  -*) set -- postgres "$@" ;;
esac
case "${1:-} ${2:-}" in
  'postgres --version' | 'postgres --help') exec "$@" ;;
  'postgres '*) ;;
  *) exec "$@" ;;
esac

for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do
  from_file "$name"
done

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  find "$PGDATA" ! -user postgres -exec chown postgres:postgres {} +
  export HOME=/var/lib/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}"
export POSTGRES_USER POSTGRES_DB

if [ -e "$PGDATA/first_start_unfinished" ]; then
  fail "the first start did not reach its end: empty the volume of $PGDATA, mend what failed, and start again"
elif [ ! -s "$PGDATA/PG_VERSION" ]; then
  check_environment
  first_start "$@"
fi
show_a_query
unset POSTGRES_PASSWORD
exec "$@"
