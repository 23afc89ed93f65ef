#!/bin/bash
# Make Kafka's users, each with the password that it has now, and their ACLs, once Kafka listens.
set -e
until (</dev/tcp/kafka/9095) 2>/dev/null; do sleep 0.2; done
users=()
for user in jobstore executor validator upstream operator; do
    users+=("$user=/run/signoff/KAFKA_${user^^}_PASSWORD")
done
signoff kafka users "${users[@]}"
signoff kafka acls --apply
