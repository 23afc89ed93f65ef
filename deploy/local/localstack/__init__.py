"""The local stack: all of Signoff on one machine, with a real Kafka and a real PostgreSQL."""
