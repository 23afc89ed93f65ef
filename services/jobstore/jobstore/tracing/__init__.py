"""Make traces of jobs' facts, and send them to what takes OTLP: a process of its own, without a database."""
