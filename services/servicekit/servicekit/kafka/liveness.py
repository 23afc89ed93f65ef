"""Look at what aiokafka does not tell: whether a consumer still works, who it is, and how far it has come."""

from aiokafka import AIOKafkaConsumer, TopicPartition


def find_dead_task(consumer: AIOKafkaConsumer) -> str | None:
    """Return what a consumer no longer does, since its task for it has ended; a poll would wait for ever."""
    tasks = {
        "refreshes its metadata": consumer._client._sync_task,  # noqa: SLF001 - no public way, as for the others
        "keeps its place in the group": getattr(consumer._coordinator, "_coordination_task", None),  # noqa: SLF001
        "fetches": consumer._fetcher and consumer._fetcher.error_future,  # noqa: SLF001
    }
    return next((what for what, task in tasks.items() if task is not None and task.done()), None)


def find_member_id(consumer: AIOKafkaConsumer | None) -> str | None:
    """Return by which id the broker knows a consumer in its group; None while it is no member."""
    return getattr(getattr(consumer, "_coordinator", None), "member_id", None) or None


def count_unread(consumer: AIOKafkaConsumer | None) -> int | None:
    """Count the records of the assigned partitions that were not read yet; None where that is not known."""
    if consumer is None or consumer._subscription.subscription.assignment is None:  # noqa: SLF001 - as below
        return None  # not started, or no member of its group yet
    unread = 0
    for partition in consumer.assignment():
        high = consumer.highwater(partition)
        state = consumer._subscription.subscription.assignment.state_value(partition)  # noqa: SLF001 - no public way without awaiting
        if high is None or state is None or not state.has_valid_position:
            return None
        unread += max(0, high - state.position)
    return unread


def find_position(consumer: AIOKafkaConsumer, place: TopicPartition) -> int | None:
    """Return the offset from which a poll waits for more of a partition; None while none waits.

    It is behind markers of transactions, too, which no poll returns.
    """
    subscriptions = consumer._subscription  # noqa: SLF001 - no public way, as for the others
    assignment = subscriptions.subscription and subscriptions.subscription.assignment
    if not subscriptions._fetch_count or not assignment or place not in assignment.tps:  # noqa: SLF001
        return None
    state = assignment.state_value(place)
    return int(state.position) if state.has_valid_position else None
