#!/bin/bash
# Make Kafka's users, each with the password that it has now, and their ACLs, once Kafka listens; on a busy machine it
# may take several tries until it answers in time.
try() {
    for _ in 1 2 3 4 5; do
        "$@" && return
        sleep 1
    done
    exit 1
}

until (</dev/tcp/kafka/9095) 2>/dev/null; do sleep 0.2; done
users=()
for user in jobstore executor validator upstream operator; do
    users+=("$user=/run/signoff/KAFKA_${user^^}_PASSWORD")
done
try signoff kafka users "${users[@]}"
try signoff kafka acls --apply
