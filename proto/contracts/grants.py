"""Derive from the catalogue of topics what each user of Kafka may do: the ACLs of a broker."""

from enum import StrEnum
from typing import Final, NamedTuple

from contracts.topics import EXECUTOR_GROUP, FACT_TOPICS, JOBSTORE_GROUPS, TOPICS, UPSTREAM_GROUPS, VALIDATOR_GROUP

#: The users of Kafka, by their default names; consoles have one, and need no ACL: they do not call Kafka.
USERS: Final = ("jobstore", "executor", "validator", "console", "upstream", "operator")


class Resource(StrEnum):
    """A kind of resource, in Kafka's words."""

    TOPIC = "topic"
    GROUP = "group"
    CLUSTER = "cluster"


class Operation(StrEnum):
    """What a user may do with a resource, in Kafka's words; READ and WRITE include DESCRIBE."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DELETE = "Delete"
    ALTER = "Alter"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    ALTER_CONFIGS = "AlterConfigs"


class Grant(NamedTuple):
    """Something that a user may do with a resource, or with all whose names begin with `name` if `is_prefix`."""

    user: str
    operation: Operation
    resource: Resource
    name: str
    is_prefix: bool = False


def list_grants() -> list[Grant]:
    """Return what the users of Kafka may do; whatever is not among it, they need not."""
    # By which the free bytes of brokers' disks are read.
    described = {Grant(user, Operation.DESCRIBE, Resource.CLUSTER, CLUSTER) for user in ("jobstore", "operator")}
    return sorted({*_list_topics(), *_list_groups(), *described})


#: The name that Kafka gives to the resource of the whole cluster.
CLUSTER: Final = "kafka-cluster"


def _list_topics() -> list[Grant]:
    grants = []
    for name, topic in TOPICS.items():
        grants += [Grant(user, Operation.WRITE, Resource.TOPIC, name) for user in topic.producers]
        grants += [Grant(user, Operation.READ, Resource.TOPIC, name) for user in topic.consumers]
        grants.append(Grant("jobstore", Operation.CREATE, Resource.TOPIC, name))
        grants += [Grant(user, Operation.DESCRIBE_CONFIGS, Resource.TOPIC, name) for user in ("jobstore", "operator")]
        grants.append(Grant("jobstore", Operation.ALTER_CONFIGS, Resource.TOPIC, name))  # how long it keeps records
        if name in FACT_TOPICS:  # whose records go once a checkpoint and the archive have them
            grants.append(Grant("jobstore", Operation.DELETE, Resource.TOPIC, name))
        if topic.is_of_work:  # their partitions grow (SIGNOFF_WORK_PARTITIONS)
            grants.append(Grant("jobstore", Operation.ALTER, Resource.TOPIC, name))
    return grants


def _list_groups() -> list[Grant]:
    groups = [(EXECUTOR_GROUP, "executor"), (VALIDATOR_GROUP, "validator")]
    members = [Grant(user, Operation.READ, Resource.GROUP, name) for name, user in groups]
    prefixes = [(JOBSTORE_GROUPS, "jobstore"), (UPSTREAM_GROUPS, "upstream")]
    members += [Grant(user, Operation.READ, Resource.GROUP, name, is_prefix=True) for name, user in prefixes]
    # The jobstore asks how far workers and upstreams have read, and who reads.
    described = [Grant("jobstore", Operation.DESCRIBE, Resource.GROUP, name) for name, _ in groups]
    of_upstreams = Grant("jobstore", Operation.DESCRIBE, Resource.GROUP, UPSTREAM_GROUPS, is_prefix=True)
    return [*members, *described, of_upstreams]
