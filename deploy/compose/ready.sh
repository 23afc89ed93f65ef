#!/bin/bash
# Ask the service of this container whether it is ready, within two seconds; its end says it. A Python that asks takes
# more than twenty times the CPU. `bash ready.sh`, or `bash ready.sh PORT PATH`: health checks of Podman 4 have no spaces.
exec 3<>"/dev/tcp/127.0.0.1/${1:-8081}" || exit 1
printf 'GET %s HTTP/1.0\r\n\r\n' "${2:-/readyz}" >&3
read -r -t 2 _ status _ <&3 && [ "$status" = 200 ]
