"""A topic of facts that takes records of a chosen size alone."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.events import JobChanged
from contracts.topics import TOPIC_OF, TOPICS

#: More than one batch of the producer may hold, so that only a record that is too large by itself is refused.
LOW = 300_000


async def limit_topic(kafka: str, limit: int, topic: str = TOPIC_OF[JobChanged]) -> None:
    """Have a topic take records of so many bytes, and return when its broker does so.

    A broker shows a setting a moment before it keeps to it. It takes changes in turn, so that when it shows the second,
    it keeps to the first.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    for bytes_max in (limit + 1, limit):
        settings = TOPICS[topic].list_settings(1) | {"max.message.bytes": str(bytes_max)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
        while not (await _shown(admin, topic)).items() >= settings.items():
            pass
    await admin.close()


async def _shown(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((*_, entries),) = answer.resources
    return {entry[0]: entry[1] for entry in entries}
