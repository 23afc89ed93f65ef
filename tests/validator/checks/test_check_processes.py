"""Checks are made in processes: no result makes a check take long, or ends anything."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from counting_judge import judge
from support.fakes import until

from contracts.criteria import Criterion, parse_criteria
from signoff.jsontext import json_text
from signoff.status import Outcome
from validator import checking
from validator.checking import CheckProcesses
from validator.ports import Subject


@pytest.fixture
async def processes() -> AsyncIterator[CheckProcesses]:
    async with CheckProcesses(check_cpu_s=0.3) as started:
        yield started


@pytest.fixture(scope="module")
async def lasting() -> AsyncIterator[CheckProcesses]:
    """Processes that many tests share, as many judgements do."""
    async with CheckProcesses(check_cpu_s=0.3) as started:
        yield started


DOUBLED = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
BOMB = {"$defs": {**DOUBLED, "a40": {"type": "null"}}, "$ref": "#/$defs/a0"}
LONG = [
    ("cel size(result.map(x, x + 1)) > 3", list(range(40_000))),
    ("cel result.all(a, result.all(b, result.all(c, a + b + c >= 0)))", list(range(1_000))),
    ("cel result.map(a, result.map(b, result.map(c, result))).size() > 0", list(range(200))),
    ("matches /(?:(?:a?){30}){30}[bc]{30}$/", "a" * 1_000_000),
    (f"json_schema {json_text(BOMB)}", 1),
]


@pytest.mark.parametrize(("check", "result"), LONG, ids=[check[:30] for check, _ in LONG])
async def test_a_check_that_takes_long_is_ended_and_the_others_are_made(
    check: str, result: Any, lasting: CheckProcesses
) -> None:
    criteria = parse_criteria(f"check: min_chars 1\ncheck: {check}\ncheck: max_chars 2000000")
    verdict, stand_in = await judge(criteria, result, run_checks=lasting.run)
    assert [one.outcome for one in verdict.criteria] == [Outcome.PASS, Outcome.CANNOT_ASSESS, Outcome.PASS]
    assert "too much time or memory" in verdict.criteria[1].comment
    assert stand_in.asked == []


async def test_many_that_take_long_are_not_all_tried(processes: CheckProcesses) -> None:
    check, result = LONG[0]
    criteria = [Criterion(text=check, kind="check")] * 40
    verdict, _ = await judge(criteria, result, run_checks=processes.run)
    comments = [one.comment for one in verdict.criteria]
    assert len(set(comments[: checking.ENDED_MAX])) == 1
    assert set(comments[checking.ENDED_MAX :]) == {"the check was not made: those before it took too long"}


@pytest.mark.parametrize(
    "result",
    [
        "x" * 1_000_000,
        "\u0000\U0001f600\u202e" * 50_000,
        [[]] * 100_000,
        {f"k{n}": n for n in range(50_000)},
        [10**5_000],
        [1e308, -1e308, 2**63, -(2**64)],
        {"a": {"$ref": "http://127.0.0.1/"}},
    ],
    ids=["long", "strange", "wide", "names", "digits", "numbers", "reference"],
)
async def test_whatever_the_result_each_check_has_an_outcome(result: Any, lasting: CheckProcesses) -> None:
    texts = [
        "max_words 3",
        'not_contains "k49999"',
        "matches /(x+)+y/",
        "url",
        "json_path $..* count 3",
        "json_path $..*..*..* count 3",
        'json_schema {"uniqueItems": true, "unevaluatedProperties": false, "items": {"multipleOf": 0.01}}',
        "cel size(result) > 3",
        "differs",
    ]
    criteria = [Criterion(text=text, kind="check") for text in texts]
    verdict, _ = await judge(criteria, result, run_checks=lasting.run, judge_empty=True)
    assert len(verdict.criteria) == len(texts)
    assert not verdict.is_valid
    again, _ = await judge("check: min_words 1", run_checks=lasting.run)
    assert again.is_valid


HOSTILE = {
    "fences": "```\n" * 250_000,
    "fences of json": "```json\n{}\n```\n" * 70_000,
    "brackets": "[" * 1_000_000,
    "objects": '{"a":' * 200_000,
    "an unclosed tag": "```" + "a" * 1_000_000 + "`",
    "white space": ("{" + " " * 1_000) * 1_000,
    "a huge cell": 'a,b\n"' + "x" * 1_000_000,
    "many cells": "a,b\n" + "," * 1_000_000,
    "many columns": "\n".join(",".join(f"{row}{n}" for n in range(20_000)) for row in "ab"),
    "many rows": "|a|b|\n|-|-|\n" + "|1|2|\n" * 30_000,
    "bars": ("|" * 500 + "\n") * 2_000,
    "parentheses": "(" * 1_000_000,
    "signs": "-" * 1_000_000 + "1",
    "a chain": "a" + ".a" * 500_000,
    "a sum": "1" + "+1" * 500_000,
    "calls": "f" + "()" * 200_000,
    "many lines": "x=1\n" * 50_000,
    "a number": "9" * 1_000_000,
}


@pytest.mark.parametrize("result", HOSTILE.values(), ids=HOSTILE)
async def test_whatever_a_text_holds_each_check_of_it_has_an_outcome(result: str, lasting: CheckProcesses) -> None:
    checks = [
        *("valid json", "valid jsonl", "valid csv", "valid python", "valid markdown_table"),
        *("in csv json_path $[*].x exists", "in markdown_table json_path $[*].x exists", "json_path $.x exists"),
        *('json_schema {"required": ["x"], "type": "object"}', "cel result.x == 1"),
    ]
    findings = await lasting.run(checks, Subject(result))
    assert len(findings) == len(checks)
    assert {one.outcome for one in findings[5:]} <= {Outcome.FAIL, Outcome.CANNOT_ASSESS}
    (still,) = await lasting.run(["min_words 1"], Subject("still here"))
    assert still.outcome is Outcome.PASS


async def test_a_deep_result_breaks_nothing(processes: CheckProcesses) -> None:
    result: Any = "x"
    for level in range(149):
        result = [result] if level % 2 else {"a": result}
    verdict, _ = await judge(
        "check: json_path $..* count 149\ncheck: cel size(result) == 1\ncheck: max_words 1"
        '\ncheck: json_schema {"items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}}',
        result,
        run_checks=processes.run,
    )
    assert verdict.is_valid, verdict


async def test_a_process_that_somebody_ends_costs_no_verdict(processes: CheckProcesses) -> None:
    """What is decided is decided by the result alone: not by whom memory was taken from, or by Ctrl+C."""
    check, result = LONG[0]
    for _ in range(2):  # one that waits, and one that works
        await judge("check: max_words 9", run_checks=processes.run)
        (process,) = processes._idle
        os.kill(process.pid, signal.SIGKILL)
        verdict, _ = await judge("check: max_words 9\ncheck: min_words 1", run_checks=processes.run)
        assert verdict.is_valid, verdict
    (process,) = processes._idle
    work = asyncio.ensure_future(judge(f"check: min_words 1\ncheck: {check}", result, run_checks=processes.run))
    await asyncio.sleep(0)  # until it has been taken
    os.kill(process.pid, signal.SIGTERM)
    verdict, _ = await work
    assert [one.outcome for one in verdict.criteria] == [Outcome.PASS, Outcome.CANNOT_ASSESS]


async def test_a_judgement_that_is_cancelled_leaves_no_process_behind(processes: CheckProcesses) -> None:
    check, result = LONG[0]
    before = _list_children()
    work = asyncio.ensure_future(judge([Criterion(text=check, kind="check")], result, run_checks=processes.run))
    await until(lambda: _list_children() - before)
    started = _list_children() - before
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not processes._idle
    assert not started & _list_children()


async def test_one_process_serves_many_judgements_and_ends_with_its_owner() -> None:
    async with CheckProcesses() as started:
        for _ in range(3):
            await judge("check: max_words 9", run_checks=started.run)
        (process,) = started._idle
    assert process.returncode is not None


async def test_processes_that_make_checks_know_no_secret(
    processes: CheckProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    await judge("check: max_words 9", run_checks=processes.run)
    (process,) = processes._idle
    assert "secret" not in _read(f"/proc/{process.pid}/environ")


def _list_children() -> set[int]:
    return set(map(int, _read(f"/proc/self/task/{os.getpid()}/children").split()))


def _read(path: str) -> str:
    return Path(path).read_text()
