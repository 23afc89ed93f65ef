"""What each user of Kafka may do follows from the catalogue of topics, and is no more than it needs."""

from collections import defaultdict

from contracts.grants import USERS, Operation, Resource, list_grants
from servicekit.kafka import acls

FACTS = {"job-changed", "agent-changed", "execution-refused", "administration-changed"}
WORK = {"execute-requested", "result-produced", "job-status-reported", "cancel-requested"}
DEAD = {f"{name}-dlq" for name in WORK}


def names_of(operation: Operation, resource: Resource = Resource.TOPIC) -> dict[str, set[str]]:
    """Return the names of the resources with which each user may do an operation."""
    names = defaultdict[str, set[str]](set)
    for grant in list_grants():
        if (grant.operation, grant.resource) == (operation, resource):
            names[grant.user].add(f"{grant.name}{'*' * grant.is_prefix}")
    return dict(names)


def test_who_writes_which_topic() -> None:
    assert names_of(Operation.WRITE) == {
        "jobstore": WORK | DEAD | FACTS,
        "executor": {"result-produced", "job-status-reported", "execute-requested-dlq"},
        "validator": {"job-status-reported"},
        "upstream": {"execute-requested", "cancel-requested"},
        "operator": WORK,
    }


def test_who_reads_which_topic() -> None:
    assert names_of(Operation.READ) == {
        "jobstore": (WORK | DEAD | FACTS) - {"execute-requested"},
        "executor": {"execute-requested"},
        "validator": {"result-produced"},
        "upstream": FACTS,
        "operator": WORK | DEAD | FACTS,
    }


def test_who_is_in_which_group() -> None:
    assert names_of(Operation.READ, Resource.GROUP) == {
        "jobstore": {"signoff-jobstore*"},
        "executor": {"signoff-executor"},
        "validator": {"signoff-validator"},
        "upstream": {"upstream*"},
    }
    described = {"signoff-executor", "signoff-validator", "upstream*"}
    assert names_of(Operation.DESCRIBE, Resource.GROUP) == {"jobstore": described}


def test_the_jobstore_alone_makes_topics_and_nobody_changes_more_than_their_partitions() -> None:
    assert names_of(Operation.CREATE) == {"jobstore": WORK | DEAD | FACTS}
    assert names_of(Operation.ALTER) == {"jobstore": WORK}
    assert names_of(Operation.DELETE) == {"jobstore": FACTS}
    assert {grant.user for grant in list_grants()} == set(USERS) - {"console"}


def test_who_sets_what_bounds_topics() -> None:
    assert names_of(Operation.ALTER_CONFIGS) == {"jobstore": WORK | DEAD | FACTS}
    assert names_of(Operation.DESCRIBE_CONFIGS) == dict.fromkeys(("jobstore", "operator"), WORK | DEAD | FACTS)


def test_each_operation_can_be_given_to_a_user() -> None:
    assert set(acls._OPERATIONS) == set(Operation)
