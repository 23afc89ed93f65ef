"""Kafka: publish and consume events without losing one."""
