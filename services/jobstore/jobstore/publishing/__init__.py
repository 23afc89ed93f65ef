"""Publish what was recorded: facts to Kafka, changes to watchers."""
