#!/bin/bash
# Back up the database, and restore it, in a container with PostgreSQL's programs: deploy/compose/production.md.
#   backup.sh keep            a backup each SIGNOFF_BACKUP_EVERY_H hours; those older than SIGNOFF_BACKUP_KEEP_DAYS days go
#   backup.sh make            one now
#   backup.sh list            all of them, the newest last
#   backup.sh check           fail unless the newest is young enough, and the last attempt succeeded
#   backup.sh inspect NAME    fail unless a backup is whole; `newest` is a name, too
#   backup.sh fill NAME       make two databases beside the present one: one of the backup, and an empty one for the facts
#   backup.sh swap NAME       let the one that knows more replace the present database, which is kept under another name
set -euo pipefail
shopt -s inherit_errexit
umask 077
cd "${BACKUPS:-/backups}"
here=$(dirname "$(realpath "$0")")
metrics=${METRICS:-/metrics}/backup.prom
present=$POSTGRES_DB
restored=${present}_restored
rebuilt=${present}_rebuilt
# The tables that no fact tells of (docs/operations/backup.md).
own_tables=(receipt_keys request_keys judgings judging_counts audit)

fail() {
    echo "backup.sh: $*" >&2
    exit 1
}

sign_in() {
    local password
    password=$(cat "$POSTGRES_PASSWORD_FILE")
    password=${password//\\/\\\\}
    export PGUSER=$POSTGRES_USER PGPASSFILE PGOPTIONS="--client-min-messages=warning"
    PGPASSFILE=$(mktemp) # not the environment, which others may see
    trap 'rm -f "$PGPASSFILE"' EXIT
    echo "*:*:*:*:${password//:/\\:}" > "$PGPASSFILE"
}

sql() { # DATABASE [SQL], or the SQL from standard input
    psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname "$1" ${2:+--command "$2"}
}

find_newest() {
    find . -maxdepth 1 -name 'signoff-*.dump.sha256' -printf '%f\n' | sort | tail -n 1 | sed 's/\.sha256$//'
}

make() {
    exec 9> .lock
    flock 9
    local name
    name=signoff-$(date -u +%Y%m%dT%H%M%S.%3NZ).dump
    rm -f ./*.part
    trap 'status=$?; rm -f "$PGPASSFILE" ./*.part; [ $status = 0 ] || tell 1; exit $status' EXIT
    pg_dump --format=custom --file="$name.part" "$present"
    require_tables "$name.part"
    pg_restore --file=/dev/null "$name.part" # reads all of it
    sync "$name.part"
    mv "$name.part" "$name"
    sha256sum "$name" > "$name.sha256.part"
    mv "$name.sha256.part" "$name.sha256"
    find . -maxdepth 1 -name 'signoff-*.dump*' -mmin "+$((${SIGNOFF_BACKUP_KEEP_DAYS:-14} * 1440))" -delete
    tell 0
    echo "$name"
}

require_tables() {
    local listed
    listed=$(pg_restore --list "$1") || fail "$1 is no backup that PostgreSQL can read"
    [[ $listed == *"TABLE DATA public jobs "* ]] || fail "$1 holds no tables of Signoff"
}

tell() { # whether the last attempt failed: 0 or 1
    local newest
    newest=$(find_newest)
    cat > "$metrics.new" <<METRICS
# HELP signoff_backup_failed 1 if the last attempt to make a backup failed
# TYPE signoff_backup_failed gauge
signoff_backup_failed $1
# HELP signoff_backup_made_seconds When the newest backup was made, since 1970; 0 without one
# TYPE signoff_backup_made_seconds gauge
signoff_backup_made_seconds $([ -z "$newest" ] && echo 0 || stat --format=%Y "$newest.sha256")
# HELP signoff_backup_bytes How large the newest backup is
# TYPE signoff_backup_bytes gauge
signoff_backup_bytes $([ -z "$newest" ] && echo 0 || stat --format=%s "$newest")
METRICS
    chmod 644 "$metrics.new" # for the proxy
    mv "$metrics.new" "$metrics"
}

due_in_s() {
    local newest
    newest=$(find_newest)
    [ -n "$newest" ] || { echo 0; return; }
    echo $(($(stat --format=%Y "$newest.sha256") + ${SIGNOFF_BACKUP_EVERY_H:-24} * 3600 - $(date +%s)))
}

keep() {
    local wait_s
    trap 'kill $(jobs -p) 2> /dev/null || true; exit 0' TERM INT
    [ -e "$metrics" ] || [ -z "$(find_newest)" ] || tell 0
    while :; do
        wait_s=$(due_in_s)
        if ((wait_s <= 0)); then
            "$BASH" "$0" make &
            wait $! && wait_s=0 || wait_s=30
        fi
        sleep "$wait_s" &
        wait $!
    done
}

check() {
    local failed
    failed=$(sed -n 's/^signoff_backup_failed //p' "$metrics" 2> /dev/null) || fail "none has been tried yet"
    [ "$failed" = 0 ] || fail "the last attempt failed: see the log"
    ((-$(due_in_s) < 3600)) || fail "the newest, $(find_newest), is too old"
}

find_whole() { # print the name of a backup that is whole
    local name=$1
    [ "$name" != newest ] || name=$(find_newest)
    [ -n "$name" ] || fail "there is no backup in $PWD"
    [ -f "$name" ] && [ -f "$name.sha256" ] || fail "there is no backup $name: \`backup.sh list\` names all"
    sha256sum --status --check "$name.sha256" || fail "$name is damaged: it is not what was written. Name another one"
    require_tables "$name"
    echo "$name"
}

pour() { # DATABASE NAME, and options of pg_restore
    local owner
    owner=$(sql "$1" "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
    pg_restore --no-owner --no-acl --exit-on-error --single-transaction --role="$owner" --dbname="$1" "${@:3}" "$2"
}

fill() {
    local name
    name=$(find_whole "$1")
    for database in "$restored" "$rebuilt"; do
        sql postgres "DROP DATABASE IF EXISTS \"$database\" WITH (FORCE)"
        sql postgres "CREATE DATABASE \"$database\" TEMPLATE template0"
        (
            set +u # as the image sources it
            POSTGRES_DB=$database
            . "$here/roles.sh"
        )
    done
    pour "$restored" "$name"
}

find_last() { # the number of the last thing that a database knows
    sql "$1" "SELECT coalesce(greatest((SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts)), 0)"
}

swap() {
    local name chosen=$restored unused=$rebuilt kept of_facts of_backup
    name=$(find_whole "$1")
    [ -n "$(sql "$rebuilt" "SELECT 1 FROM pg_database WHERE datname = current_database()
        AND shobj_description(oid, 'pg_database') = 'made of the facts'")" ] || fail "the facts were not read to their end"
    of_facts=$(find_last "$rebuilt")
    of_backup=$(find_last "$restored")
    kept=${present}_before_$(date -u +%Y%m%dT%H%M%SZ)
    if ((of_facts > of_backup)); then
        chosen=$rebuilt unused=$restored
        for table in "${own_tables[@]}"; do
            pour "$rebuilt" "$name" --data-only --table="$table"
        done
        echo "the facts are newer than $name: the database is made of them, and of the tables that $name alone has"
    else
        echo "the facts are not newer than $name: the database is what it was then, and the facts are published from it"
    fi
    if [ -n "$(sql postgres "SELECT 1 FROM pg_database WHERE datname = '$present'")" ]; then
        sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$present'" > /dev/null
        sql postgres "ALTER DATABASE \"$present\" RENAME TO \"$kept\""
        echo "the database that there was is $kept: \`dropdb $kept\` removes it"
    fi
    sql postgres "ALTER DATABASE \"$chosen\" RENAME TO \"$present\""
    sql postgres "DROP DATABASE \"$unused\""
}

case ${1:-} in
    keep | check) "$1" ;;
    list) find . -maxdepth 1 -name 'signoff-*.dump.sha256' -printf '%f\n' | sort | sed 's/\.sha256$//' ;;
    inspect) find_whole "${2:?NAME}" ;;
    make)
        sign_in
        make
        ;;
    fill | swap)
        sign_in
        "$1" "${2:?NAME}"
        ;;
    *)
        sed -n '2,9s/^# //p' "$0" >&2
        exit 2
        ;;
esac
