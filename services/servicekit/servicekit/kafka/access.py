"""Reach Kafka: how brokers are reached is one value, which makes every client of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from servicekit.kafka.settings import KafkaFields

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How brokers are reached: the addresses of some of them, each host:port, with commas between."""

    servers: str

    @classmethod
    def of(cls, settings: KafkaFields) -> Self:
        """Return what settings say of how Kafka is reached."""
        return cls(settings.kafka)

    @property
    def _options(self) -> dict[str, Any]:
        return {"bootstrap_servers": self.servers}

    def make_consumer(self, *topics: str, **options: Any) -> AIOKafkaConsumer:
        """Return a consumer that is not started."""
        return AIOKafkaConsumer(*topics, **self._options, **options)

    def make_producer(self, **options: Any) -> AIOKafkaProducer:
        """Return a producer that is not started."""
        return AIOKafkaProducer(**self._options, **options)

    def make_admin(self, **options: Any) -> AIOKafkaAdminClient:
        """Return a client that asks for and changes topics, groups and ACLs, and is not started."""
        return AIOKafkaAdminClient(**self._options, **options)

    def make_client(self, **options: Any) -> AIOKafkaClient:
        """Return a client of single requests, not connected."""
        return AIOKafkaClient(**self._options, **options)

    def make_broker(self, **options: Any) -> "KafkaBroker":
        """Return a broker of FastStream, which makes a consumer for each of its subscribers."""
        from faststream.kafka import KafkaBroker  # noqa: PLC0415 - heavy, and only needed by services

        return KafkaBroker(**self._options, **options)
