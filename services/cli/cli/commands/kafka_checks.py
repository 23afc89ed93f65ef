"""Check brokers, their disks, their ACLs and the topics of the catalogue for `signoff doctor`."""

import asyncio
from typing import Any, Final, NamedTuple

from cli.commands.checks import SHOWN_MAX, TIMEOUT_S, Check, check_space, describe_error
from cli.session import Target, make_kafka_access
from contracts.grants import list_grants
from contracts.topics import CATALOGUED, TOPICS, Topic
from servicekit.errors import RefusedError

#: Seconds that disconnecting may take.
CLOSE_S: Final = 0.3


async def check_kafka(target: Target) -> list[Check]:
    """Check whether the broker answers, its disks have space, and its topics have the settings of the catalogue."""
    if target.kafka is None:
        return [Check("kafka", False, "no address is known", "give --kafka host:port")]
    if target.other_prefix is not None:
        return [Check("kafka", False, target.other_prefix, "set SIGNOFF_TOPIC_PREFIX to that here, too")]
    from servicekit.kafka.broker import list_log_dirs  # noqa: PLC0415 - heavy, and only needed here

    access = make_kafka_access(target)
    admin = access.make_admin(request_timeout_ms=int(TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await admin.start()
            topics, log_dirs, acls = await _read_topics(admin), await list_log_dirs(admin), await _check_acls(admin)
    except Exception as error:  # noqa: BLE001 - any error is what the check reports
        if isinstance(refusal := await access.explain(error), RefusedError):
            return [Check("kafka", False, f"{target.kafka}: {refusal}", "docs/operations/kafka.md has each setting")]
        remedy = (
            "is the broker running, and is this its address? Until it answers, work waits, and nothing is lost: the "
            "jobstore keeps what is asked for"
        )
        return [Check("kafka", False, f"{target.kafka}: {describe_error(error)}", remedy)]
    finally:
        closing = asyncio.create_task(admin.close())  # which may wait for a broker that is frozen
        await asyncio.wait([closing], timeout=CLOSE_S)
    checks = (check_topic(topic, topics.get(name)) for name, topic in TOPICS.items())
    disks = (check_space(f"disk of broker {each.broker}", each.free_bytes, each.path) for each in log_dirs)
    who = f" as {access.user}" if access.user else ""
    return [Check("kafka", True, f"{target.kafka} ({access.security}{who})"), *acls, *disks, *checks]


async def _check_acls(admin: Any) -> list[Check]:
    """Check whether users that have ACLs have all that they need; nothing without an authorizer."""
    from aiokafka.errors import ClusterAuthorizationFailedError  # noqa: PLC0415 - see above

    from servicekit.kafka.acls import read_grants  # noqa: PLC0415 - see above

    try:
        there = await read_grants(admin)
    except ClusterAuthorizationFailedError:
        return [Check("kafka ACLs", True, "this user may not read them", "give it Describe on the cluster")]
    if there is None:
        return []
    users = {grant.user for grant in there}  # others may have other names
    lacking = [grant for grant in list_grants() if grant.user in users and grant not in there]
    if not lacking:
        return [Check("kafka ACLs", True, f"as the catalogue of topics says, of {', '.join(sorted(users))}")]
    words = "; ".join(
        f"{each.user} lacks {each.operation} of {each.resource} {each.name}" for each in lacking[:SHOWN_MAX]
    )
    return [Check("kafka ACLs", False, words, "as a user that may: signoff kafka acls --apply")]


def check_topic(topic: Topic, actual: "TopicState | None") -> Check:
    """Check whether a topic is as the catalogue says, or keeps records for less long."""
    part = f"topic {topic.name}"
    if actual is None:
        return Check(part, False, "is missing", "restart the jobstore: it creates the topics of the catalogue")
    partitions, replication, settings = actual
    wrong = [
        f"{name} is {settings.get(name)}, not {value}"
        for name, value in topic.list_settings(replication).items()
        if not _is_as_bounded(topic, name, settings.get(name), value)
    ]
    if partitions < topic.partitions:
        wrong.insert(0, f"{partitions} partitions, not {topic.partitions}")
    if wrong:
        return Check(
            part,
            False,
            "; ".join(wrong),
            "restart a jobstore: it sets what it may; the rest by kafka-configs.sh or kafka-topics.sh --alter",
        )
    return Check(part, True, f"{partitions} partitions")


def _is_as_bounded(topic: Topic, name: str, actual: str | None, catalogued: str) -> bool:
    """Return whether a setting is the catalogue's, or a bound that an installation may choose: no age above it."""
    if actual is None or name not in topic.bound(CATALOGUED) or "-1" in {actual, catalogued}:
        return actual == catalogued
    return int(actual) > 0 and (name.endswith(".bytes") or int(actual) <= int(catalogued))


class TopicState(NamedTuple):
    """A topic as it is: the number of its partitions, of the replicas of each, and its settings."""

    partitions: int
    replication: int
    settings: dict[str, str]


async def _read_topics(admin: Any) -> dict[str, TopicState]:
    """Return the state of each topic of the catalogue that exists, by its name."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: PLC0415 - see above

    from servicekit.kafka.access import count_partitions  # noqa: PLC0415 - see above

    names = sorted(await count_partitions(admin._client, list(TOPICS)))  # noqa: SLF001 - no public way
    described = await admin.describe_topics(names) if names else []
    partitions = {topic["topic"]: topic["partitions"] for topic in described}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    settings: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources) if names else []:
        for _, _, _, name, entries in answer.resources:
            settings[name] = {entry[0]: entry[1] for entry in entries}
    return {
        name: TopicState(len(partitions[name]), len(partitions[name][0]["replicas"]), settings.get(name, {}))
        for name in names
    }
