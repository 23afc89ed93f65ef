#!/bin/bash
# Make an empty database beside the present one, and let it replace that, in the container of PostgreSQL: up.sh.
#   restore.sh prepare    make the empty database, with its roles
#   restore.sh swap       let it, once it is filled, replace the present one, which is kept under another name
set -euo pipefail
shopt -s inherit_errexit
here=$(dirname "$(realpath "$0")")
present=$POSTGRES_DB
restored=${present}_restored

sql() { # DATABASE SQL
    PGOPTIONS=--client-min-messages=warning psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 \
        --username "$POSTGRES_USER" --dbname "$1" --command "$2"
}

prepare() {
    sql postgres "DROP DATABASE IF EXISTS \"$restored\" WITH (FORCE)"
    sql postgres "CREATE DATABASE \"$restored\" TEMPLATE template0"
    set +u # as the image sources it
    POSTGRES_DB=$restored
    . "$here/roles.sh"
}

swap() {
    local kept
    kept=${present}_before_$(date -u +%Y%m%dT%H%M%SZ)
    if [ "$(sql "$restored" "SELECT to_regclass('alembic_version') IS NULL")" = t ]; then
        echo "restore.sh: $restored is empty: fill it first" >&2
        exit 1
    fi
    if [ -n "$(sql postgres "SELECT 1 FROM pg_database WHERE datname = '$present'")" ]; then
        sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$present'" > /dev/null
        sql postgres "ALTER DATABASE \"$present\" RENAME TO \"$kept\""
        echo "the database that there was is $kept: \`dropdb $kept\` removes it"
    fi
    sql postgres "ALTER DATABASE \"$restored\" RENAME TO \"$present\""
}

case ${1:-} in
    prepare | swap) "$1" ;;
    *)
        sed -n '3,4s/^# //p' "$0" >&2
        exit 2
        ;;
esac
