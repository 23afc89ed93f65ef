"""Logs are one JSON object a line, whatever is logged."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.process.runtime import JsonFormatter, SeldomFilter


def logged(message: str, *args: object, exc_info: object = None, **extra: object) -> str:
    made = logging.getLogger("a").makeRecord("a", logging.WARNING, "f", 1, message, args, exc_info, extra=extra)
    return JsonFormatter("executor").format(made)


def test_a_line_says_when_who_and_what_with_its_extras():
    line = json.loads(logged("waiting for %s", "kafka", job_id="job-1", code="away"))
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "service": "executor",
        "logger": "a",
        "message": "waiting for kafka",
        "job_id": "job-1",
        "code": "away",
    }


@pytest.mark.parametrize("text", ['\n{"level":"ERROR"}', "\r\n", "\x1b[2J", "\u2028", "\u2029", "\x85", "\0", "\ud800"])
def test_no_text_of_a_stranger_can_forge_a_line_or_steer_a_terminal(text):
    line = logged(f"said {text}", reason=text)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["reason"] == text


@given(st.text())
def test_any_message_is_one_line(text):
    line = logged("%s", text, reason=text)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == text


def test_an_exception_stands_in_its_line():
    error = ValueError("first\nsecond")
    line = logged("failed", exc_info=(type(error), error, None))
    assert len(line.splitlines()) == 1
    assert "ValueError: first\nsecond" in json.loads(line)["exception"]


def test_values_that_json_cannot_say_are_shown_as_text():
    assert json.loads(logged("x", error=OSError("gone")))["error"] == "gone"


def test_what_the_library_of_kafka_tells_again_and_again_is_logged_seldom_with_how_often() -> None:
    passed = []
    seldom = SeldomFilter()
    told = [(0.0, "a"), (0.1, "b"), (9.9, "c"), (10.0, "d"), (25.0, "e")]
    for at, topic in told:
        for name, text in (("aiokafka.cluster", "Topic %s not found"), ("jobstore.relay", "told")):
            record = logging.makeLogRecord({"name": name, "msg": text, "args": (topic,), "created": at})
            if seldom.filter(record):
                passed.append((name, at, getattr(record, "repeated", None)))
    assert passed == [
        ("aiokafka.cluster", 0.0, None),
        ("jobstore.relay", 0.0, None),
        ("jobstore.relay", 0.1, None),
        ("jobstore.relay", 9.9, None),
        ("aiokafka.cluster", 10.0, 2),
        ("jobstore.relay", 10.0, None),
        ("aiokafka.cluster", 25.0, None),
        ("jobstore.relay", 25.0, None),
    ]
