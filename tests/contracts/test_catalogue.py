"""The catalogue of topics: every event has one, with readers, dead letters, retention and room for its size."""

import re
from datetime import timedelta

import pytest

from contracts.events import AdministrationChanged, AgentChanged, Event, ExecutionRefused, JobChanged
from contracts.topics import CATALOGUED, MESSAGE_MAX_BYTES, TOPIC_OF, TOPICS, TopicBounds
from signoff.connection import MESSAGE_MAX_BYTES as GRPC_MESSAGE_MAX_BYTES

SERVICES = {"jobstore", "executor", "validator"}
EVENT_TOPICS = [topic for topic in TOPICS.values() if topic.event]
DLQS = [topic for topic in TOPICS.values() if not topic.event]


def events(parent=Event):
    """Every event that is declared: the classes that nothing is derived from."""
    children = [event for child in parent.__subclasses__() for event in events(child)]
    return children or [parent]


def test_every_event_has_a_topic_and_every_topic_an_event_or_a_source():
    assert set(TOPIC_OF) == set(events())
    assert {topic.name for topic in DLQS} == {topic.dlq for topic in EVENT_TOPICS if topic.dlq}
    assert [name for name, topic in TOPICS.items() if topic.name != name] == []


@pytest.mark.parametrize("event", events(), ids=lambda event: event.__name__)
def test_names_derive_from_the_event(event):
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()
    assert event.type == f"signoff.{kebab}.v1"
    assert TOPIC_OF[event] == kebab


@pytest.mark.parametrize("topic", EVENT_TOPICS, ids=lambda topic: topic.name)
def test_what_a_service_consumes_has_a_dead_letter_queue(topic):
    assert (topic.dlq is not None) == topic.is_of_work
    if topic.dlq:
        dlq = TOPICS[topic.dlq]
        assert (dlq.name, dlq.retention) == (f"{topic.name}-dlq", timedelta(days=30))
        assert dlq.producers <= (topic.consumers & SERVICES) | {"jobstore"}


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_every_topic_has_writers_readers_and_explicit_settings(topic):
    assert topic.producers
    assert topic.consumers
    assert topic.partitions == (8 if topic.event and topic.event is not AdministrationChanged else 1)
    settings = topic.list_settings(1)
    assert settings["cleanup.policy"] == "delete"
    assert settings["retention.bytes"] == (str(1 << 30) if topic in DLQS else "-1")
    assert int(settings["segment.bytes"]) > 2 * MESSAGE_MAX_BYTES - 1


DAY_MS = 24 * 3600 * 1000


def test_a_segment_is_a_tenth_of_what_bounds_its_topic_so_that_age_frees_the_disk():
    requests, letters = TOPICS["execute-requested"], TOPICS["execute-requested-dlq"]
    assert requests.list_settings(1)["segment.ms"] == str(7 * DAY_MS // 10)
    bounds = TopicBounds(timedelta(minutes=10), timedelta(days=1), 64 << 20)
    bounded = requests.list_settings(1, bounds)
    assert (bounded["retention.ms"], bounded["segment.ms"]) == ("600000", "60000")
    assert letters.bound(bounds) == {
        "retention.ms": str(DAY_MS),
        "retention.bytes": str(64 << 20),
        "segment.ms": str(DAY_MS // 10),
        "segment.bytes": str(16 << 20),
    }


def test_an_age_that_is_set_shortens_and_never_lengthens_what_the_catalogue_says():
    bounds = TopicBounds(timedelta(days=10), timedelta(days=100))
    kept = {name: int(topic.bound(bounds)["retention.ms"]) // DAY_MS for name, topic in TOPICS.items()}
    assert {kept[name] for name in ("execute-requested", "cancel-requested")} == {7}
    assert {kept[name] for name in ("result-produced", "job-status-reported")} == {10}
    assert {kept[topic.name] for topic in DLQS} == {30}


def test_facts_that_leave_their_topics_early_have_small_segments():
    facts = TOPICS["job-changed"]
    assert facts.bound(CATALOGUED)["segment.ms"] == str(7 * DAY_MS)
    assert facts.bound(TopicBounds(facts_kept=timedelta(days=30)))["segment.ms"] == str(7 * DAY_MS)
    early = facts.bound(TopicBounds(facts_kept=timedelta(minutes=10)))
    assert (early["segment.ms"], early["retention.ms"]) == ("60000", "-1")


def test_facts_go_by_no_age_whatever_is_set():
    shortest = TopicBounds(timedelta(minutes=1), timedelta(minutes=1), 64 << 20)
    for fact in (topic for topic in EVENT_TOPICS if not topic.is_of_work):
        assert fact.bound(shortest) == fact.bound(CATALOGUED)


def test_events_are_kept_as_long_as_they_may_be_needed():
    days = {topic.name: topic.retention and topic.retention.days for topic in EVENT_TOPICS}
    assert days == {
        "execute-requested": 7,
        "result-produced": 30,
        "job-status-reported": 30,
        "cancel-requested": 7,
        "job-changed": None,
        "agent-changed": None,
        "execution-refused": None,
        "administration-changed": None,
    }


@pytest.mark.parametrize("fact", [JobChanged, AgentChanged, ExecutionRefused, AdministrationChanged])
def test_facts_are_kept_for_ever(fact):
    assert TOPICS[TOPIC_OF[fact]].list_settings(1)["retention.ms"] == "-1"


def test_every_topic_takes_what_the_limits_of_the_doors_follow_from():
    assert {int(topic.list_settings(1)["max.message.bytes"]) for topic in TOPICS.values()} == {MESSAGE_MAX_BYTES}


def test_what_fits_a_topic_fits_a_call():
    assert GRPC_MESSAGE_MAX_BYTES >= MESSAGE_MAX_BYTES
