"""A topic of facts that takes records of a chosen size alone."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.events import JobChanged
from contracts.topics import TOPIC_OF, TOPICS

#: More than one batch of the producer may hold, so that only a record that is too large by itself is refused.
LOW = 300_000


async def limit_topic(kafka: str, limit: int, topic: str = TOPIC_OF[JobChanged]) -> None:
    """Have a topic take records of so many bytes."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    settings = TOPICS[topic].settings | {"max.message.bytes": str(limit)}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
    await admin.close()
