#!/bin/bash
# Run the release of this checkout with production.yml, from images by digest: deploy/compose/production.md.
#   deploy/compose/up.sh                     start it; where another release runs, make a backup, and replace it
#   deploy/compose/up.sh --restore NUMBER    start it on a backup; `newest` is a number, too
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
first="# The images of $version by digest; deploy/compose/up.sh makes it anew where it is of another version, or away."

fail() {
    echo "up.sh: $*" >&2
    exit 1
}

# Fetch the images of this version, and write images.yml: each by its digest, and nothing else that a service is given.
pin() {
    [ "$(head -n 1 images.yml 2> /dev/null)" != "$first" ] || return 0
    echo "up.sh: fetches the images of $version" >&2
    local images service image digest
    images=$(SIGNOFF_VERSION=$version docker compose -f docker-compose.yml -f deploy/compose/production.yml \
        --profile '*' config | awk '
            /^[a-z]/ { part = $1 }
            part == "services:" && /^  [^ ]/ { sub(":", "", $1); service = $1 }
            part == "services:" && /^    image: / { print service, $2 }')
    {
        echo "$first"
        echo "services:"
        while read -r service image; do
            digest=$(find_digest "$image")
            echo "  $service: {image: \"$digest\", pull_policy: missing, build: !reset null}"
        done <<< "$images"
    } > images.yml.new
    mv images.yml.new images.yml
}

find_digest() { # IMAGE, with a tag: the same, with the digest instead
    local repository=${1%:*} name digests
    docker pull --quiet "$1" > /dev/null < /dev/null
    digests=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$1")
    name=${repository#docker.io/} # as Docker leaves it out
    digests=$(grep -E "^(docker.io/(library/)?)?${name#library/}@" <<< "$digests") || fail "$1 has no digest: push it to its registry"
    echo "$repository@$(head -n 1 <<< "${digests#*@}")"
}

restore() {
    docker compose run --rm -T backup inspect "$1"
    docker compose stop caddy console executor validator jobstore backup
    docker compose up --wait --detach postgres kafka kafka-2 kafka-3
    docker compose run --rm -T kafka-users # a new Kafka has none
    docker compose exec -T postgres bash /restore.sh prepare
    docker compose run --rm -T backup restore "$1"
    docker compose exec -T postgres bash /restore.sh swap
}

case $#${1:-} in
    0 | 2--restore) ;;
    *) sed -n '3,4s/^# //p' "$0" >&2; exit 2 ;;
esac
pin
images=$(docker compose --profile '*' config --images | sort -u)
movable=$(grep -v '@sha256:' <<< "$images" | tr '\n' ' ') || true
[ -z "$movable" ] || fail "not by digest: $movable- let COMPOSE_FILE in .env end with :images.yml"
if [ $# = 2 ]; then
    restore "$2"
elif docker compose ps --services --status running | grep -qx backup; then
    docker compose exec -T backup bash /backup.sh make || fail "nothing is changed: there is no backup to come back to"
fi
docker compose up --wait --detach
