#!/bin/bash
# Makes the configuration, and formats the folder of a new broker, by Kafka's own code; then becomes the broker.
set -e
java -Xmx256M -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config > /tmp/setup.log 2>&1 \
    || grep -qi 'already formatted' /tmp/setup.log || { cat /tmp/setup.log; exit 1; }
exec java ${KAFKA_HEAP_OPTS:--Xms256m -Xmx512m} -XX:+UseG1GC -Djava.awt.headless=true -Dkafka.logs.dir=/opt/kafka/logs \
    -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml -cp '/opt/kafka/libs/*' kafka.Kafka /opt/kafka/config/server.properties
