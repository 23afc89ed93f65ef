"""What judges see of what an agent was asked: which members, how much of them, and the hash of the whole."""

import hashlib
import json

import pytest

from contracts.events import hash_task
from jobstore.judging.rules import CUT, TASK_MAX_CHARS, Task, format_task, list_members, read_task

TASK = Task("A title", 'Say "so"', '{"n": 1.0}', '{"reason":"why"}')


def test_a_policy_says_which_members_judges_see() -> None:
    assert format_task(TASK, "") == '{"title":"A title","description":"Say \\"so\\"","payload":{"n": 1.0}}'
    assert format_task(TASK, '{"task":["payload","feedback"]}') == '{"payload":{"n": 1.0},"feedback":{"reason":"why"}}'
    assert format_task(TASK, '{"name":"of before it was named"}') == format_task(TASK, "")
    assert format_task(TASK, '{"task":[]}') == ""
    assert list_members("") == {"title", "description", "payload"}


def test_what_says_nothing_is_left_out() -> None:
    assert format_task(Task("null", "", "null", None), '{"task":["title","description","payload","feedback"]}') == (
        '{"title":"null"}'
    )
    assert format_task(Task("", "", "null"), "") == ""


@pytest.mark.parametrize("excess", [0, 1, 1_000_000])
def test_a_long_task_is_cut_with_a_word_where(excess: int) -> None:
    payload = json.dumps(["\u00e9" * (TASK_MAX_CHARS - len("A titleSo") - 4 + excess)], ensure_ascii=False)
    shown = json.loads(format_task(Task("A title", "So", payload), ""))
    assert (shown["title"], shown["description"]) == ("A title", "So")
    if not excess:
        assert shown["payload"] == json.loads(payload)
        return
    assert shown["payload"].endswith(CUT)
    assert payload.startswith(shown["payload"].removesuffix(CUT))
    assert sum(map(len, shown.values())) == TASK_MAX_CHARS


def test_what_is_short_stands_whole_beside_what_is_long() -> None:
    long = "x" * 3 * TASK_MAX_CHARS
    shown = json.loads(format_task(Task("t", long, json.dumps(long), '{"a":1}'), '{"task":["description","payload"]}'))
    assert [len(text) for text in shown.values()] == [TASK_MAX_CHARS // 2] * 2
    shown = json.loads(format_task(Task("t", "y" * 8_000, json.dumps(long)), ""))
    assert shown["description"] == "y" * 8_000
    assert len(shown["payload"]) == TASK_MAX_CHARS - 8_001


def test_the_hash_is_of_the_whole_as_the_body_has_it() -> None:
    text = '{"title":"A title","description":"Say \\"so\\"","payload":{"n": 1.0}}'
    assert hash_task(*TASK[:3]) == hashlib.sha256(text.encode()).digest()
    body = {"title": '"A title"', "description": '"Say \\"so\\""', "payload": '{"n": 1.0}', "feedback": "null"}
    assert read_task(body) == TASK._replace(feedback="null")
    assert hash_task(*read_task(body)[:3]) == hash_task(*TASK[:3])
    long = "x" * TASK_MAX_CHARS
    assert hash_task("t", long + "a", "null") != hash_task("t", long + "b", "null")
