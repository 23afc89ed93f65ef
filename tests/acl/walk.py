"""Try what each user of Kafka may do with each topic and group, by one request each."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from aiokafka.protocol.admin import (
    AlterConfigsRequest,
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteRecordsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from support.kafka.batches import tiny

from contracts.grants import CLUSTER, USERS, Grant, Operation, Resource, list_grants
from contracts.topics import EXECUTOR_GROUP, JOBSTORE_GROUPS, TOPICS, UPSTREAM_GROUPS, VALIDATOR_GROUP
from servicekit.kafka import acls
from servicekit.kafka.access import KafkaAccess

#: Of topics, groups and the cluster.
FORBIDDEN_CODES: Final = {29, 30, 31}
TOPIC, GROUP = Resource.TOPIC, Resource.GROUP
STRANGE: Final = "strange"
GROUPS: Final = (
    EXECUTOR_GROUP,
    VALIDATOR_GROUP,
    *(f"{JOBSTORE_GROUPS}-{name}" for name in ("reports", "results", "cancels")),
    f"{UPSTREAM_GROUPS}-billing",
    STRANGE,
)
NAMES: Final = {TOPIC: (*TOPICS, STRANGE), GROUP: GROUPS, Resource.CLUSTER: (CLUSTER,)}
WAIT_MS: Final = 10_000
TOPIC_RESOURCE: Final = 2
#: By the resource and the operation; the last of each are given to nobody.
REQUESTS: Final[Mapping[tuple[Resource, str], Callable[[str], Any]]] = {
    (TOPIC, Operation.READ): lambda name: FetchRequest(0, 0, 1024, 0, [(name, [(0, 0, 1024)])]),
    (TOPIC, Operation.WRITE): lambda name: ProduceRequest(None, 1, WAIT_MS, [(name, [(0, tiny(1))])]),
    (TOPIC, Operation.CREATE): lambda name: CreateTopicsRequest([(name, 1, 1, [], [])], WAIT_MS, True),
    (TOPIC, Operation.ALTER): lambda name: CreatePartitionsRequest([(name, (20, None))], WAIT_MS, True),
    (TOPIC, Operation.DESCRIBE): lambda name: MetadataRequest([name], False),
    (TOPIC, Operation.DESCRIBE_CONFIGS): lambda name: DescribeConfigsRequest([(TOPIC_RESOURCE, name, None)]),
    (TOPIC, Operation.ALTER_CONFIGS): lambda name: AlterConfigsRequest([(TOPIC_RESOURCE, name, [])], True),
    (TOPIC, Operation.DELETE): lambda name: DeleteRecordsRequest([(name, [(0, 0)])], WAIT_MS),
    (GROUP, Operation.READ): lambda name: HeartbeatRequest(name, 1, "nobody"),
    (GROUP, Operation.DESCRIBE): lambda name: DescribeGroupsRequest([name]),
    (Resource.CLUSTER, Operation.DESCRIBE): lambda _: acls._DescribeAcls(),
    (Resource.CLUSTER, "Alter"): lambda _: acls._CreateAcls([(2, "any", 3, "User:me", "*", 3, 3)]),
}


class Finding(NamedTuple):
    """What was tried, and whether it was allowed."""

    user: str
    operation: str
    resource: Resource
    name: str
    is_allowed: bool


async def walk(reach_as: Callable[[str], KafkaAccess]) -> list[Finding]:
    """Try everything as each user."""
    findings = []
    for user in USERS:
        client = reach_as(user).make_client(client_id="walk")
        await client.bootstrap()
        try:
            for (resource, operation), make in REQUESTS.items():
                for name in NAMES[resource]:
                    answer = await client.send(client.get_random_node(), make(name))
                    is_allowed = FORBIDDEN_CODES.isdisjoint(_list_codes(answer))
                    findings.append(Finding(user, operation, resource, name, is_allowed))
        finally:
            await client.close()
    return findings


def _list_codes(answer: Any) -> list[int]:
    if answer.API_KEY == FetchRequest.API_KEY:  # of which aiokafka makes no object
        return [code for _, partitions in answer.topics for _, code, *_ in partitions]
    return list(_find_codes(answer.to_object()))


def _find_codes(answer: Any) -> Iterator[int]:
    """Yield all error codes of an answer."""
    if isinstance(answer, Mapping):
        for name, value in answer.items():
            if name == "error_code":
                yield value
            else:
                yield from _find_codes(value)
    elif isinstance(answer, list | tuple):
        for value in answer:
            yield from _find_codes(value)


def is_given(finding: Finding) -> bool:
    """Return whether the catalogue gives what was tried; who reads, writes or alters a resource may describe it."""
    given = {grant.operation for grant in list_grants() if _covers(grant, finding)}
    if finding.operation == Operation.DESCRIBE:
        return not given.isdisjoint({Operation.READ, Operation.WRITE, Operation.ALTER, Operation.DESCRIBE})
    return finding.operation in given


def _covers(grant: Grant, finding: Finding) -> bool:
    is_named = finding.name.startswith(grant.name) if grant.is_prefix else finding.name == grant.name
    return (grant.user, grant.resource) == (finding.user, finding.resource) and is_named
