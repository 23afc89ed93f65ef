"""Objects in a directory or a bucket, and the archive of facts: what is kept outside of Kafka and PostgreSQL."""
