#!/bin/bash
# Back up the database, and restore it, in a container with the jobstore's programs: deploy/compose/production.md.
#   backup.sh keep             a backup each SIGNOFF_BACKUP_EVERY_H hours; those older than SIGNOFF_BACKUP_KEEP_DAYS days go
#   backup.sh make             one now, as `signoff backup` makes it
#   backup.sh list             the numbers of all, the newest last
#   backup.sh check            fail unless the newest is young enough, and the last attempt succeeded
#   backup.sh inspect NUMBER   fail unless a backup is whole, and can be restored here; `newest` is a number, too
#   backup.sh restore NUMBER   fill the empty database that restore.sh has made, as `signoff restore` does
set -euo pipefail
shopt -s inherit_errexit
umask 077
cd "${BACKUPS:-/backups}"
here=$(dirname "$(realpath "$0")")
metrics=${METRICS:-/metrics}/backup.prom

fail() {
    echo "backup.sh: $*" >&2
    exit 1
}

list() {
    find . -path './checkpoints/*.json' -printf '%f\n' | sort | sed 's/^0*//; s/\.json$//'
}

find_newest() { # its manifest, which is written last
    find . -path './checkpoints/*.json' | sort | tail -n 1
}

make() {
    exec 9> .lock
    flock 9
    trap 'status=$?; [ $status = 0 ] || tell 1; exit $status' EXIT
    SIGNOFF_ARCHIVE=$PWD SIGNOFF_ARCHIVE_KEPT_S=$((${SIGNOFF_BACKUP_KEEP_DAYS:-14} * 86400)) \
        python -m jobstore.recovery.backup >&2
    tell 0
    list | tail -n 1
}

tell() { # whether the last attempt failed: 0 or 1
    local newest size=0 each
    newest=$(find_newest)
    while read -r each; do
        size=$((size + each))
    done < <([ -z "$newest" ] || find "${newest%.json}" -type f -printf '%s\n')
    cat > "$metrics.new" <<METRICS
# HELP signoff_backup_failed 1 if the last attempt to make a backup failed
# TYPE signoff_backup_failed gauge
signoff_backup_failed $1
# HELP signoff_backup_made_seconds When the newest backup was made, since 1970; 0 without one
# TYPE signoff_backup_made_seconds gauge
signoff_backup_made_seconds $([ -z "$newest" ] && echo 0 || stat --format=%Y "$newest")
# HELP signoff_backup_bytes How large the newest backup is
# TYPE signoff_backup_bytes gauge
signoff_backup_bytes $size
METRICS
    mv "$metrics.new" "$metrics"
}

due_in_s() {
    local newest
    newest=$(find_newest)
    [ -n "$newest" ] || { echo 0; return; }
    echo $(($(stat --format=%Y "$newest") + ${SIGNOFF_BACKUP_EVERY_H:-24} * 3600 - $(date +%s)))
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
    ((-$(due_in_s) < 3600)) || fail "the newest, $(list | tail -n 1), is too old"
}

inspect() {
    SIGNOFF_ARCHIVE=$PWD python "$here/inspect_backup.py" "$1"
}

take() { # a variable, or what its file has
    local file=$1_FILE
    [ -z "${!file:-}" ] && echo "${!1:-}" || cat "${!file}"
}

restore() {
    local url
    url=$(take SIGNOFF_MIGRATE_DATABASE_URL)
    [ -n "$url" ] || url=$(take SIGNOFF_DATABASE_URL)
    unset SIGNOFF_DATABASE_URL_FILE SIGNOFF_MIGRATE_DATABASE_URL SIGNOFF_MIGRATE_DATABASE_URL_FILE
    export SIGNOFF_DATABASE_URL
    SIGNOFF_DATABASE_URL=$(sed -E 's|^([^/]*//[^/]*/[^?]*)|\1_restored|' <<< "$url")
    case ${SIGNOFF_ARCHIVE:-} in
        *://*) ;;
        *) [ -d "${SIGNOFF_ARCHIVE:-}/parts" ] || SIGNOFF_ARCHIVE= ;; # nothing was archived on this machine
    esac
    SIGNOFF_BACKUP=$PWD SIGNOFF_CHECKPOINT=$1 python -m jobstore.recovery.rebuild
}

case ${1:-} in
    keep | make | list | check) "$1" ;;
    inspect | restore) "$1" "${2:?NUMBER}" ;;
    *)
        sed -n '2,8s/^# //p' "$0" >&2
        exit 2
        ;;
esac
