"""A quorum and a cascade judge jobs from end to end, and a golden set holds a version back until enough is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.system import Agent, Judge, Said, System, in_place_of, signoff

from contracts.judging.policy import Verdict
from signoff import SignoffError
from signoff.status import JobStatus
from signoff.types import JobLog

PASS: Said = ("The sky is blue", "pass")
FAIL: Said = (None, "fail")
UNSURE: Said = (None, "cannot_assess")


async def judged(system: System, agent: Agent, policy: str) -> tuple[JobStatus, dict[str, Any]]:
    """Have one job judged by a policy; return where it ends, and the verdict."""
    job = await system.create(acceptance_criteria="Describes the sky", policy={"judge": policy})
    text = f"The sky is blue, for all that {job.id} knows."  # else an earlier verdict is reused
    agent.answers[job.id] = lambda _: text
    await system.client.execute_job(job.id)
    status = (await system.at_rest(job.id)).status
    return status, find_verdict(await system.logs(job.id))


def find_verdict(logs: list[JobLog]) -> Verdict:
    return next(entry.verdict for entry in reversed(logs) if entry.verdict)


def policy_of(name: str, kind: str, *models: str, **more: Any) -> dict[str, Any]:
    judges = [{"model": model} for model in models]
    return {"name": name, "stages": [{"kind": "checks"}, {"kind": kind, "judges": judges}], **more}


@pytest.mark.parametrize(("dissenting", "status"), [(1, JobStatus.COMPLETED), (2, JobStatus.RESUBMISSION_REQUIRED)])
async def test_the_majority_of_a_quorum_decides(
    system: System, agent: Agent, judge: Judge, dissenting: int, status: JobStatus
) -> None:
    await system.client.put_judge_policy(policy_of("three", "quorum", "one", "two", "three"))
    async with in_place_of(judge, lambda model: FAIL if model in ("one", "two")[:dissenting] else PASS) as asked:
        ended, verdict = await judged(system, agent, "three")
    assert (ended, sorted(asked), verdict.judge) == (status, ["one", "three", "two"], "three@1")
    (stage,) = verdict.stages
    assert (stage.kind, stage.outcomes) == ("quorum", "p" if dissenting == 1 else "f")
    assert sorted(ask.outcomes for ask in stage.asks) == sorted("f" * dissenting + "p" * (3 - dissenting))


async def test_a_cascade_asks_its_strong_judge_only_where_the_cheap_one_is_unsure(
    system: System, agent: Agent, judge: Judge
) -> None:
    await system.client.put_judge_policy(policy_of("in-turn", "cascade", "cheap", "strong"))
    async with in_place_of(judge, lambda _: PASS) as asked:
        assert (await judged(system, agent, "in-turn"))[0] is JobStatus.COMPLETED
    assert asked == ["cheap"]
    async with in_place_of(judge, lambda model: UNSURE if model == "cheap" else FAIL) as asked:
        ended, verdict = await judged(system, agent, "in-turn")
    assert (ended, asked) == (JobStatus.RESUBMISSION_REQUIRED, ["cheap", "strong"])
    (stage,) = verdict.stages
    assert [(ask.role, ask.outcomes) for ask in stage.asks] == [("cheap", "c"), ("strong", "f")]


async def test_a_golden_set_holds_a_version_back_until_somebody_says_why(
    system: System, agent: Agent, judge: Judge
) -> None:
    client = system.client
    await client.put_judge_policy(policy_of("guarded", "single", "old"))
    cases = [
        {"result": {"text": text}, "acceptance_criteria": "Says yes", "id": text, "label": text == "yes"}
        for text in ("yes", "no")
    ]
    await client.put_golden_set("guarded", "\n".join(map(json.dumps, cases)))
    await client.put_judge_policy(policy_of("guarded", "single", "new"))
    with pytest.raises(SignoffError) as refused:
        await client.promote_judge_policy("guarded", 2)
    assert refused.value.code == "golden_not_evaluated"
    async with in_place_of(judge, lambda _: PASS) as asked:
        await judged(system, agent, "guarded")
        await client.promote_judge_policy("guarded", 2, force_reason="the old model is switched off")
        _, verdict = await judged(system, agent, "guarded")
    assert (asked, verdict.judge) == (["old", "new"], "guarded@2")
    moves = (await client.get_judge_policy("guarded")).moves
    assert "the old model is switched off" in {move.reason for move in moves}


async def test_a_version_takes_over_by_what_was_judged_and_not_by_what_its_report_says(
    system: System, tmp_path: Path
) -> None:
    client, cases = system.client, tmp_path / "cases.jsonl"
    for model in ("old", "new"):
        await client.put_judge_policy(policy_of("measured", "single", model))
    lines = [
        {
            "id": f"{n}",
            "result": f"Seen from quay {n}, {sky}.",
            "acceptance_criteria": 'Says "the sky is blue"',
            "label": good,
        }
        for good, sky in ((True, "the sky is blue"), (False, "the sea is grey"))
        for n in range(30 * good, 30 * good + 30)
    ]
    lines[-1]["result"] += " Nobody says that the sky is blue."  # which the judge takes for a yes
    cases.write_text("\n".join(map(json.dumps, lines)))
    await client.put_golden_set("measured", cases.read_text())
    (report,) = await signoff(system, "judge", "evaluate", str(cases), "--policy", "measured@2")
    overall = report["policies"][0]["overall"]
    assert (overall["true_rejects"], overall["false_accepts"]) == (29, 1)
    with pytest.raises(SignoffError, match=r"29 of 30 bad results are refused, which shows 0\.851 or more") as refused:
        await client.promote_judge_policy("measured", 2, report=report)
    assert refused.value.code == "golden_failed"
    overall |= {"true_rejects": 30, "false_accepts": 0}
    with pytest.raises(SignoffError, match="by the judgings that are kept") as refused:
        await client.promote_judge_policy("measured", 2, report=report)
    assert refused.value.code == "golden_report_differs"

    await client.put_golden_set("measured", "\n".join(map(json.dumps, lines[:-1])))
    (whole,) = await signoff(system, "judge", "evaluate", str(cases), "--policy", "measured@2")
    (tmp_path / "report.json").write_text(json.dumps(whole))
    (promoted,) = await signoff(system, "judges", "promote", "measured", "2", "--report", str(tmp_path / "report.json"))
    assert promoted["current"] == 2, "29 of 29 show 0.9, and what was judged besides is not looked at"
