"""Judge policies and criteria sets from the command line."""

import json
from uuid import uuid4

import pytest

from contracts.judging.statistics import QuorumWorth
from contracts.judging.versions import Counts, JudgeEvaluation
from signoff.judging import JudgingWarning
from signoff.v1 import judge_service_pb2 as pb
from signoff.v1 import judging_service_pb2 as judging_pb


async def test_a_policy_is_made_of_options_shown_and_promoted(signoff, jobstore):
    jobstore.warnings = [pb.JudgingWarning(code="judge_key_unknown", message="2 of 2 validators have no key main")]
    made = await signoff("judges", "set", "strict", "--model", "a", "--key", "main", "--note", "to begin with")
    assert made.out.splitlines() == [
        "strict@1 is current",
        "warning: 2 of 2 validators have no key main (judge_key_unknown)",
    ]
    later = await signoff("judges", "set", "strict", "--model", "a", "--model", "b", "--votes", "3", "--each", "--json")
    assert (later.json["version"], later.json["current"]) == (2, 1)
    waits = await signoff("judges", "set", "strict", "--model", "a", "--model", "b", "--cascade")
    assert "strict@3 waits for `signoff judges promote strict 3`" in waits.out
    shown = await signoff("judges", "show", "strict", "--version", "2", "--json")
    assert [stage["kind"] for stage in shown.json["policy"]["stages"]] == ["checks", "quorum"]
    whole = (await signoff("judges", "show", "strict")).out
    assert ("to begin with" in whole, '\n  "name": "strict",\n' in whole) == (True, True)
    assert (await signoff("judges", "promote", "strict", "2", "--force", "in a hurry", "--json")).json["current"] == 2
    assert jobstore.asked(pb.PromoteJudgePolicyRequest)[-1].force_reason == "in a hurry"
    assert "retired" in (await signoff("judges", "retire", "strict", "--reason", "too dear")).out


async def test_a_golden_set_is_set_written_and_must_be_passed(signoff, jobstore, tmp_path):
    for model in ("a", "b"):
        await signoff("judges", "set", "strict", "--model", model)
    cases = tmp_path / "cases.jsonl"
    plain = {"acceptance_criteria": "It rhymes"}
    lines = [{"id": f"{n}", "result": f"words {n}", "label": n == 0, **plain} for n in range(2)]
    cases.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    made = await signoff("judges", "golden", "strict", "--set", "cases.jsonl", "--least", "0.8", "--flips-max", "0.25")
    assert "of the good ones must pass       80 %, with 95 % certainty" in made.out
    assert "warning: no version can pass it before it has 13 good and 13 bad cases more" in made.out
    assert "may flip                         25 %" in made.out
    shown = await signoff("judges", "golden", "strict", "--output", "golden.jsonl", "--json")
    assert shown.json["cases"] == 2
    assert [json.loads(line)["label"] for line in (tmp_path / "golden.jsonl").read_text().splitlines()] == [True, False]
    assert "golden_not_evaluated" in (await signoff("judges", "promote", "strict", "2", "--json")).err
    counts = {"true_accepts": 1, "false_accepts": 0, "true_rejects": 1, "false_rejects": 0}
    judged = {"policy": "strict@2", "versions": {}, "overall": counts, "flips": {"cases": {"count": 0, "share": None}}}
    evaluation = str(uuid4())
    report = {"evaluation": evaluation, "policies": [judged], "disagreements": {"items": ["x" * 10_000]}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert (await signoff("judges", "promote", "strict", "2", "--report", "report.json")).status == 0
    sent = json.loads(jobstore.asked(pb.PromoteJudgePolicyRequest)[-1].report_json)
    assert sent == {"evaluation": evaluation, "policies": [{"policy": "strict@2", "versions": {}, "overall": counts}]}
    assert "removed: versions take over without it" in (await signoff("judges", "golden", "strict", "--remove")).out
    for none in ("[]", json.dumps({"policies": [judged]})):
        (tmp_path / "report.json").write_text(none)
        assert "is no report" in (await signoff("judges", "promote", "strict", "1", "--report", "report.json")).err
    assert "cannot be read" in (await signoff("judges", "golden", "strict", "--set", "none.jsonl")).err
    assert (await signoff("judges", "golden", "unknown", "--json")).status == 3
    for alone in (("--least", "0.5"), ("--flips-max", "0.5"), ("--note", "why")):
        assert "belongs to the cases that --set gives" in (await signoff("judges", "golden", "strict", *alone)).err
    both = await signoff("judges", "golden", "strict", "--set", "cases.jsonl", "--remove")
    assert "and --set are two things" in both.err


async def test_beside_a_quorum_stands_what_labels_say_of_it(signoff, jobstore):
    await signoff("judges", "set", "strict", "--model", "a", "--model", "b")
    between = {"correlation_low": 0.25, "correlation_high": 0.75}
    panel = QuorumWorth(votes=2, labels=40, correlation=0.5, wrong=[2, 3], majority_wrong=0, **between)
    counts = Counts(true_accepts=19, false_accepts=2, true_rejects=18, false_rejects=1)
    known = jobstore.policies["strict"]
    made = {"version": 1, "actor": "somebody", "created_at": known.versions[0].created_at}
    evaluation = JudgeEvaluation(evaluation=str(uuid4()), cases_hash="0" * 64, overall=counts, quorum=[panel], **made)
    warning = JudgingWarning(code="quorum_adds_nothing", message="take vote 1 alone")
    measured = known.versions[0].model_copy(update={"evaluation": evaluation, "warnings": [warning]})
    jobstore.policies["strict"] = known.model_copy(update={"versions": [measured]})
    shown = (await signoff("judges", "show", "strict")).out
    assert "2 of 20 bad results accepted, 1 of 20 good ones refused" in shown
    assert "is worth 1.3 independent votes (95 % interval 1.1 to 1.6) on 40 labels" in shown
    assert "warning: take vote 1 alone (quorum_adds_nothing)" in shown
    as_json = (await signoff("judges", "show", "strict", "--json")).json
    assert as_json["evaluation"]["evaluation"] == evaluation.evaluation
    assert not as_json["evaluation"]["quorum"][0]["adds_nothing"]
    assert as_json["warnings"] == [warning.model_dump()]


async def test_a_policy_is_read_from_what_was_shown(signoff, tmp_path):
    await signoff("judges", "set", "strict", "--model", "a")
    shown = (await signoff("judges", "show", "strict", "--json")).json
    file = tmp_path / "strict.json"
    file.write_text(json.dumps(shown | {"policy": shown["policy"] | {"asks": "each"}}))
    made = await signoff("judges", "set", "--file", str(file), "--promote", "--json")
    assert (made.json["version"], made.json["current"]) == (2, 2)
    named = await signoff("judges", "set", "mild", "--file", str(file), "--json")
    assert (named.json["name"], named.json["version"]) == ("mild", 1)
    conflict = await signoff("judges", "set", "--file", str(file), "--expected-version", "1", "--json")
    assert conflict.status == 3
    assert "judge_policy_conflict" in conflict.err
    for wrong in ("[]", "nonsense"):
        file.write_text(wrong)
        assert (await signoff("judges", "set", "--file", str(file))).status == 2
    assert (await signoff("judges", "set")).status == 2


async def test_a_policy_may_be_written_as_yaml(signoff, tmp_path):
    file = tmp_path / "strict.yaml"
    file.write_text("name: strict\nstages:\n  - kind: quorum\n    votes: 3\n")
    await signoff("judges", "set", "--file", str(file))
    assert (await signoff("judges", "show", "strict", "--json")).json["policy"]["stages"][0]["votes"] == 3
    for wrong in ("name: [", "name: strict\nstages: 2026-01-01", "!!python/object:os.system {}"):
        file.write_text(wrong)
        assert (await signoff("judges", "set", "--file", str(file))).status == 2


async def test_two_versions_are_compared(signoff):
    await signoff("judges", "set", "strict", "--model", "a")
    await signoff("judges", "set", "strict", "--model", "b")
    lines = (await signoff("judges", "diff", "strict", "1", "2")).out.splitlines()
    assert [line for line in lines if '"model"' in line] == ['-          "model": "a",', '+          "model": "b",']
    assert (await signoff("judges", "diff", "strict", "1", "--json")).json["after"]["version"] == 2
    assert "say the same" in (await signoff("judges", "diff", "strict", "1", "1")).out
    assert (await signoff("judges", "diff", "strict", "7")).status == 3


async def test_policies_and_validators_are_listed(signoff, jobstore):
    await signoff("judges", "set", "strict", "--model", "a")
    jobstore.validators = [pb.Validator(owner="one", judge="default@2", keys=["main"]), pb.Validator(owner="two")]
    out = (await signoff("judges", "list")).out
    assert "strict" in out
    assert "default@2" in out
    assert "has not said" in out


async def test_criteria_are_kept_by_name_and_linted(signoff, tmp_path):
    made = await signoff("criteria", "set", "house", "--criteria", "Says red", "--criteria", "Must not be rude")
    assert "house@1 is current" in made.out
    assert "criterion 2 reads as if something must be absent" in made.err
    file = tmp_path / "criteria.txt"
    file.write_text("Says red\nnever: Is rude\n")
    assert (await signoff("criteria", "set", "house", "--file", str(file), "--json")).json["version"] == 2
    shown = await signoff("criteria", "show", "house")
    assert "  never: Is rude" in shown.out.splitlines()
    old = await signoff("criteria", "show", "house", "--version", "1", "--json")
    assert old.json["acceptance_criteria"] == "Says red\nMust not be rude"
    assert (await signoff("criteria", "show", "house", "--version", "9")).status == 3
    assert "house" in (await signoff("criteria", "list")).out
    assert "house: retired" in (await signoff("criteria", "retire", "house", "--reason", "too strict")).out
    assert (await signoff("criteria", "retire", "unknown", "--json")).status == 3
    assert (await signoff("criteria", "lint", "--file", str(file))).status == 0
    assert (await signoff("criteria", "lint", "--criteria", "Must not be rude", "--json")).status == 1
    noted = await signoff("criteria", "lint", "--criteria", "Is written in French")
    assert (noted.status, noted.err) == (0, "")
    assert "note: criterion 1 is about the whole" in noted.out
    for wrong in (["--file", str(tmp_path)], [], ["--criteria", "x", "--file", str(file)]):
        assert (await signoff("criteria", "lint", *wrong)).status == 2


@pytest.mark.parametrize("second", ["unknown", "strict@9", "strict@", "strict@x", "old", "old@1"])
async def test_no_judge_is_paid_where_a_later_policy_is_not_there(signoff, jobstore, tmp_path, second):
    for name in ("strict", "old"):
        await signoff("judges", "set", name, "--model", "a")
    await signoff("judges", "retire", "old")
    case = {"id": "1", "result": "words", "acceptance_criteria": "It rhymes", "label": True}
    (tmp_path / "cases.jsonl").write_text(json.dumps(case) + "\n")
    policies = ("--policy", "default", "--policy", "strict@1", "--policy", second)
    ran = await signoff("judge", "evaluate", "cases.jsonl", *policies, "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (3, "unknown_judge_policy")
    assert jobstore.asked(judging_pb.CreateJudgingsRequest) == []
