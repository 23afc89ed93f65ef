"""Logs are one JSON object a line, whatever is logged."""

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.logs import JsonFormatter, Levels, SeldomFilter, note_about, parse_levels


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


def logger_of(name: str) -> str:
    return json.loads(JsonFormatter("executor").format(logging.makeLogRecord({"name": name, "msg": "x"}))).get("job_id")


async def test_each_line_of_a_task_says_what_the_task_is_about() -> None:
    async def work(job_id: str) -> list[str]:
        note_about(job_id=job_id, execution_id=None)
        await asyncio.sleep(0)
        later = asyncio.create_task(asyncio.to_thread(logger_of, "executor.handlers"))
        return [logger_of("executor.handlers"), await later]

    assert await asyncio.gather(work("a"), work("b")) == [["a", "a"], ["b", "b"]]
    assert logger_of("executor.handlers") is None


async def test_a_library_whose_task_outlives_a_job_is_about_none() -> None:
    async def work() -> list[str]:
        note_about(job_id="a")
        return [logger_of(name) for name in ("aiokafka.conn", "faststream", "grpc._cython", "asyncio")]

    assert await asyncio.create_task(work()) == [None] * 4


async def test_an_extra_field_says_more_than_the_task() -> None:
    note_about(job_id="a")
    assert json.loads(logged("x", job_id="b"))["job_id"] == "b"


@pytest.fixture
def kept_levels() -> Iterator[None]:
    """The levels are as they were, once a test has ended."""
    names = (None, "aiokafka", "faststream", "requests", "jobstore.publishing")
    before = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def is_told(name: str, level: int) -> bool:
    return logging.getLogger(name).isEnabledFor(level)


@pytest.mark.usefixtures("kept_levels")
def test_levels_are_those_of_the_file_while_there_is_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "levels"
    levels = Levels("WARNING jobstore.publishing=DEBUG", file)
    levels.look()
    assert not is_told("executor.handlers", logging.INFO)
    assert is_told("jobstore.publishing.relay", logging.DEBUG)
    assert not is_told("aiokafka.conn", logging.INFO)
    file.write_text("info, requests=debug aiokafka=INFO\n")
    levels.look()
    assert is_told("executor.handlers", logging.INFO)
    assert is_told("requests.grpc", logging.DEBUG)
    assert is_told("aiokafka.conn", logging.INFO)
    assert not is_told("jobstore.publishing.relay", logging.DEBUG)
    file.write_text("LOUD")
    levels.look()
    levels.look()
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert line.getMessage().startswith("the levels of logs stay as they are: 'LOUD' is no level: write one of DEBUG")
    assert is_told("requests.grpc", logging.DEBUG)
    file.unlink()
    levels.look()
    assert not is_told("executor.handlers", logging.INFO)
    assert not is_told("requests.grpc", logging.DEBUG)


@pytest.mark.parametrize("text", ["LOUD", "requests=", "=DEBUG=INFO", "a b=INFO", "\x1b[2J=INFO"])
def test_what_is_no_level_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is no level: write one of DEBUG, INFO, WARNING, ERROR"):
        parse_levels(text)
