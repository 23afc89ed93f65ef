"""Declare the settings by which Kafka is reached, once for all services and tools."""

from pydantic import BaseModel


class KafkaFields(BaseModel):
    """The settings by which Kafka is reached; addresses are host:port, with commas between."""

    kafka: str = "localhost:9092"
