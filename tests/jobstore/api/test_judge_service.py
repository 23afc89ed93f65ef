"""JudgeService: policies and sets are put, shown, promoted and retired; validators say what they are set to."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import grpc
import pytest
from api_calls import ADMINISTRATOR, EXECUTOR, PAYLOAD_MAX, VALIDATOR, Status, create, refused
from sqlalchemy import text
from support.jobstore.terms import TERMS

from contracts.judging.policy import JudgePolicy
from contracts.judging.statistics import QuorumWorth
from contracts.judging.versions import Counts, Evaluated, Measured
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.judging.commands import KeepEvaluation, PutVersion
from jobstore.judging.rules import POLICY_MAX_BYTES, Kind, Named
from jobstore.subjects import STORES
from signoff.types import read_model
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import judge_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.worker.v1 import work_service_pb2 as work_pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub

QUORUM = {"kind": "quorum", "votes": 3}


def named(beginning: str = "p") -> str:
    return f"{beginning}-{uuid4().hex[:12]}"


async def put(judges: Any, name: str, expected: int | None = None, note: str = "", **fields: Any) -> Any:
    request = pb.PutJudgePolicyRequest(policy_json=json.dumps({"name": name, **fields}), version=expected, note=note)
    return await judges.PutJudgePolicy(request, metadata=ADMINISTRATOR)


async def put_set(judges: Any, name: str, text_form: str, **fields: Any) -> Any:
    request = pb.PutCriteriaSetRequest(name=name, acceptance_criteria=text_form, **fields)
    return await judges.PutCriteriaSet(request, metadata=ADMINISTRATOR)


async def reported(channel: grpc.aio.Channel, policy: str, owner: str = "", **keys: list[str]) -> str:
    request = work_pb.ReportJudgeRequest(
        owner=owner or str(uuid4()),
        policy_json=policy,
        keys=[work_pb.JudgeKey(name=name, base_urls=urls) for name, urls in keys.items()],
    )
    answer = await WorkServiceStub(channel).ReportJudge(request, metadata=VALIDATOR)
    return answer.policy


async def test_a_policy_is_put_shown_promoted_and_retired(judges: Any) -> None:
    name = named()
    first = await put(judges, name, note="to begin with")
    assert (first.version, first.policy.current, list(first.warnings)) == (1, 1, [])
    again, later = await put(judges, name), await put(judges, name, version=1, asks="each")
    assert (again.version, later.version, later.policy.current, later.policy.newest) == (1, 2, 1, 2)
    promote = pb.PromoteJudgePolicyRequest(name=name, version=2, force_reason="the golden set is old")
    await judges.PromoteJudgePolicy(promote, metadata=ADMINISTRATOR)
    shown = read_model(
        (await judges.GetJudgePolicy(pb.GetJudgePolicyRequest(name=name), metadata=ADMINISTRATOR)).policy
    )
    assert [(each.version, each.policy["asks"], each.note, each.actor) for each in shown.versions] == [
        (2, "each", None, "token:bootstrap"),
        (1, "auto", "to begin with", "token:bootstrap"),
    ]
    assert (shown.versions[0].policy["name"], shown.versions[0].policy["version"]) == (name, 2)
    assert [(move.version, move.reason) for move in shown.moves] == [(2, "the golden set is old"), (1, None)]
    page = pb.GetJudgePolicyRequest(name=name, before=2, page_size=1)
    older = (await judges.GetJudgePolicy(page, metadata=ADMINISTRATOR)).policy
    assert [each.version for each in older.versions] == [1]
    retired = await judges.RetireJudgePolicy(pb.RetireJudgePolicyRequest(name=name), metadata=ADMINISTRATOR)
    assert not retired.policy.HasField("current")


def labelled(*labels: bool) -> str:
    plain = {"acceptance_criteria": "It rhymes"}
    cases = [{"id": f"{n}", "result": f"words {n}", "label": label, **plain} for n, label in enumerate(labels)]
    return "\n".join(map(json.dumps, cases))


async def test_a_version_takes_over_once_it_passes_the_golden_set_or_is_forced(judges: Any) -> None:
    name = named()
    await put(judges, name)
    await put(judges, name, asks="each")
    request = pb.PutGoldenSetRequest(name=name, cases_jsonl=labelled(True, False), flips_max=0.5, note="from July")
    golden = (await judges.PutGoldenSet(request, metadata=ADMINISTRATOR)).golden
    assert (golden.version, golden.cases, golden.true_positive_rate_min, golden.flips_max) == (1, 2, 0.9, 0.5)
    await judges.PutGoldenSet(
        pb.PutGoldenSetRequest(name=name, cases_jsonl=labelled(True, False)), metadata=ADMINISTRATOR
    )
    shown = (await judges.GetGoldenSet(pb.GetGoldenSetRequest(name=name), metadata=ADMINISTRATOR)).golden
    assert (shown.version, shown.HasField("flips_max"), shown.actor) == (2, False, "token:bootstrap")
    assert [json.loads(line)["label"] for line in shown.cases_jsonl.splitlines()] == [True, False]
    promote = pb.PromoteJudgePolicyRequest(name=name, version=2)
    assert (await refused(judges.PromoteJudgePolicy(promote, metadata=ADMINISTRATOR)))[:2] == (
        Status.FAILED_PRECONDITION,
        "golden_not_evaluated",
    )
    promote.report_json = json.dumps({"evaluation": str(uuid4())})
    assert (await refused(judges.PromoteJudgePolicy(promote, metadata=ADMINISTRATOR)))[:2] == (
        Status.FAILED_PRECONDITION,
        "golden_not_kept",
    )
    for version, reason in ((2, "measured elsewhere"), (1, "the others are at lunch")):
        forced = pb.PromoteJudgePolicyRequest(name=name, version=version, force_reason=reason)
        promoted = await judges.PromoteJudgePolicy(forced, metadata=ADMINISTRATOR)
    assert [(move.version, move.reason) for move in promoted.policy.moves][:2] == [
        (1, "the others are at lunch"),
        (2, "measured elsewhere"),
    ]
    await judges.RetireGoldenSet(pb.RetireGoldenSetRequest(name=name), metadata=ADMINISTRATOR)
    promoted = await judges.PromoteJudgePolicy(
        pb.PromoteJudgePolicyRequest(name=name, version=2), metadata=ADMINISTRATOR
    )
    assert promoted.policy.current == 2


@pytest.mark.parametrize("lines", ["", "{", labelled(True, True), labelled(False), labelled(True, False) + "\n[]"])
async def test_a_golden_set_needs_good_and_bad_cases(judges: Any, lines: str) -> None:
    request = pb.PutGoldenSetRequest(name=named(), cases_jsonl=lines)
    assert (await refused(judges.PutGoldenSet(request, metadata=ADMINISTRATOR)))[:2] == (
        Status.INVALID_ARGUMENT,
        "golden_set_invalid",
    )


async def test_what_is_no_report_promotes_nothing(judges: Any) -> None:
    name = named()
    await put(judges, name)
    for report in ("", "{}", '{"evaluation": "x"}', f'{{"evaluation": "{uuid4()}", "policies": [{{}}]}}'):
        promote = pb.PromoteJudgePolicyRequest(name=name, version=1, report_json=report)
        assert (await refused(judges.PromoteJudgePolicy(promote, metadata=ADMINISTRATOR)))[0] is Status.INVALID_ARGUMENT
    unknown = pb.GetGoldenSetRequest(name=name)
    assert (await refused(judges.GetGoldenSet(unknown, metadata=ADMINISTRATOR)))[:2] == (
        Status.NOT_FOUND,
        "unknown_golden_set",
    )


async def test_beside_a_quorum_stands_what_it_is_worth_on_the_labels_there_are(
    judges: Any, runner: CommandRunner
) -> None:
    name = named()
    stages = [{"kind": "quorum", "judges": [{"model": "a"}, {"model": "b"}]}]
    first = await put(judges, name, stages=stages)
    assert [one.code for one in first.warnings] == ["quorum_not_measured"]
    between = {"correlation_low": 0.1, "correlation_high": 0.8}
    quorum = QuorumWorth(votes=2, labels=4, correlation=0.5, wrong=[1, 2], majority_wrong=1, **between)
    counts = Counts(true_accepts=1, false_accepts=0, true_rejects=1, false_rejects=0, unsure=1)
    evaluated = Evaluated(Measured(cases_hash="0" * 64, overall=counts, quorum=[quorum]), {"1" * 64: "p"})
    evaluation = uuid4()
    for _ in range(2):
        keep = KeepEvaluation(evaluation, [(f"{name}@1", evaluated)], actor=BOOTSTRAP)
        assert await runner.administer.run_one(keep) == [f"{name}@1"]
    same, other = await put(judges, name, stages=stages, section_chars=9_000), await put(judges, name, asks="each")
    assert [one.code for one in same.warnings] == ["quorum_adds_nothing"]
    assert "take vote 1 (a) alone" in same.warnings[0].message
    assert not other.warnings
    found = await judges.GetJudgePolicy(pb.GetJudgePolicyRequest(name=name), metadata=ADMINISTRATOR)
    shown = {one.version: one for one in read_model(found.policy).versions}
    assert shown[2].evaluation.version == 1, "judges by the same stages"
    (worth,) = shown[2].evaluation.quorum
    assert worth.worth_votes == pytest.approx(2 / 1.5)
    assert (worth.worth_votes_low, worth.worth_votes_high) == pytest.approx((2 / 1.8, 2 / 1.1))
    assert (shown[3].evaluation, shown[1].evaluation.actor) == (None, "token:bootstrap")
    assert (shown[1].evaluation.evaluation, shown[1].evaluation.overall.unsure) == (str(evaluation), 1)


async def test_a_set_is_retired_and_comes_back_by_putting_it(judges: Any) -> None:
    name = named("set")
    await put_set(judges, name, "Says red")
    retire = pb.RetireCriteriaSetRequest(name=name, reason="too strict")
    retired = await judges.RetireCriteriaSet(retire, metadata=ADMINISTRATOR)
    assert not retired.set.HasField("current")
    again = await put_set(judges, name, "Says red")
    assert (again.version, again.set.current) == (1, 1)
    unknown = pb.RetireCriteriaSetRequest(name=named("set"))
    told = await refused(judges.RetireCriteriaSet(unknown, metadata=ADMINISTRATOR))
    assert told[:2] == (Status.NOT_FOUND, "unknown_criteria_set")


async def test_lists_have_each_name_once_in_order_and_by_pages(judges: Any) -> None:
    names = sorted(named(f"list-{n}") for n in range(3))
    for name in names:
        await put(judges, name)
        await put_set(judges, name, "Says red")
        await put_set(judges, name, "Says blue")
    await judges.RetireJudgePolicy(pb.RetireJudgePolicyRequest(name=names[1]), metadata=ADMINISTRATOR)
    found, token = [], ""
    while True:
        request = pb.ListJudgePoliciesRequest(page_size=2, page_token=token)
        page = await judges.ListJudgePolicies(request, metadata=ADMINISTRATOR)
        found += [(each.name, [v.version for v in each.versions]) for each in page.policies if each.name in names]
        assert not any(v.HasField("policy_json") for each in page.policies for v in each.versions)
        if not (token := page.next_page_token):
            break
    assert found == [(name, [1]) for name in names]
    sets = await judges.ListCriteriaSets(pb.ListCriteriaSetsRequest(page_size=500), metadata=ADMINISTRATOR)
    told = [(each.name, each.current, each.versions[0].version) for each in sets.sets if each.name in names]
    assert told == [(name, 2, 2) for name in names]


async def test_a_set_is_put_in_either_form_and_linted(judges: Any) -> None:
    name = named("s")
    first = await put_set(judges, name, "- Says red\n- Must not be rude")
    assert (first.version, first.set.versions[0].acceptance_criteria) == (1, "Says red\nMust not be rude")
    assert [(warning.code, warning.criterion) for warning in first.warnings] == [("criterion_reads_as_absence", 1)]
    second = await put_set(judges, name, "", criteria=[resources_pb.Criterion(text="Is rude", kind="never")])
    assert (second.set.current, second.set.versions[0].acceptance_criteria) == (2, "never: Is rude")
    shown = await judges.GetCriteriaSet(pb.GetCriteriaSetRequest(name=name), metadata=ADMINISTRATOR)
    assert [each.version for each in read_model(shown.set).versions] == [2, 1]
    lint = pb.LintCriteriaRequest(acceptance_criteria="Must not be rude")
    linted = await judges.LintCriteria(lint, metadata=ADMINISTRATOR)
    assert ([warning.criterion for warning in linted.warnings], list(linted.notes)) == ([0], [])
    noted = await judges.LintCriteria(
        pb.LintCriteriaRequest(acceptance_criteria="Is in French"), metadata=ADMINISTRATOR
    )
    assert ([note.code for note in noted.notes], list(noted.warnings)) == (["criterion_about_the_whole"], [])


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"name": "default"}, "judge_policy_reserved"),
        ({"name": "default@3"}, "invalid_request"),
        ({"name": "Strict"}, "invalid_request"),
        ({"name": "a", "stages": []}, "invalid_request"),
        ({"name": "a", "version": 10**9}, "invalid_request"),
        ({"name": "a", "unheard_of": 1}, "invalid_request"),
        (
            {"name": "a", "stages": [{"kind": "single", "judges": [{"model": "m", "key": "sk-SECRET"}]}]},
            "invalid_request",
        ),
        (
            {"name": "a", "stages": [{"kind": "single", "judges": [{"model": "m", "base_url": "http://u:p@x/"}]}]},
            "invalid_request",
        ),
    ],
)
async def test_a_policy_that_cannot_be_is_refused_and_no_key_is_shown(
    judges: Any, policy: dict[str, Any], code: str
) -> None:
    call = judges.PutJudgePolicy(pb.PutJudgePolicyRequest(policy_json=json.dumps(policy)), metadata=ADMINISTRATOR)
    _, told, message = await refused(call)
    assert told == code
    assert "SECRET" not in message


async def test_what_is_too_large_or_not_there_is_refused(judges: Any) -> None:
    model = {"model": "m", "parameters": {"p": "x" * 3_900}}
    large = {"stages": [{"kind": "quorum", "judges": [model] * 9}], "loop": [{"judge": model}] * 8}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await put(judges, named(), **large, note="x" * 10)
    assert "payload_too_large" in str(caught.value.trailing_metadata())
    huge = pb.PutJudgePolicyRequest(policy_json=" " * (4 * POLICY_MAX_BYTES + 1))
    assert (await refused(judges.PutJudgePolicy(huge, metadata=ADMINISTRATOR)))[1] == "payload_too_large"
    with pytest.raises(grpc.aio.AioRpcError):
        await put(judges, named(), note="x" * 1_001)
    with pytest.raises(grpc.aio.AioRpcError):
        await put_set(judges, named(), "x\n" * (PAYLOAD_MAX // 2))
    for call, code in [
        (
            judges.GetJudgePolicy(pb.GetJudgePolicyRequest(name="nobody"), metadata=ADMINISTRATOR),
            "unknown_judge_policy",
        ),
        (
            judges.GetCriteriaSet(pb.GetCriteriaSetRequest(name="nobody"), metadata=ADMINISTRATOR),
            "unknown_criteria_set",
        ),
        (judges.LintCriteria(pb.LintCriteriaRequest(), metadata=ADMINISTRATOR), "criteria_empty"),
        (judges.GetJudgePolicy(pb.GetJudgePolicyRequest(page_size=-1), metadata=ADMINISTRATOR), "invalid_request"),
        (judges.ListJudgePolicies(pb.ListJudgePoliciesRequest(), metadata=VALIDATOR), "forbidden"),
    ]:
        assert (await refused(call))[1] == code


async def test_of_two_jobstores_that_put_at_once_one_decides_again(database: Database) -> None:
    """Each with lanes of its own: whoever comes second sees the first one's version."""
    one, other = CommandRunner(database, STORES, TERMS), CommandRunner(database, STORES, TERMS)
    name = Named(Kind.JUDGE, named())
    puts = [
        runner.administer.run_one(PutVersion(name, f'{{"n":{n}}}', actor=SIGNOFF))
        for n in range(10)
        for runner in (one, other)
    ]
    versions = await asyncio.gather(*puts)
    assert sorted(set(versions)) == list(range(1, max(versions) + 1))
    assert max(versions) >= 10
    async with database.session() as session:
        query = text("SELECT count(*) FROM judging_moves WHERE name = :name")
        assert await session.scalar(query, {"name": name.name}) == 1


async def test_validators_say_what_they_are_set_to_and_keys_are_looked_at(
    judges: Any, channel: grpc.aio.Channel, database: Database
) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM workers"))
    model = named("m")
    settings = JudgePolicy(name="anything", stages=[{"kind": "single", "judges": [{"model": model}]}])
    owner = str(uuid4())
    first = await reported(channel, settings.model_dump_json(), owner, main=["https://api.openai.com/v1"])
    assert first == await reported(channel, settings.model_dump_json(), main=["https://api.openai.com/v1"])
    other = settings.model_copy(update={"asks": "each"})
    assert await reported(channel, other.model_dump_json()) != first
    listed = await judges.ListJudgePolicies(pb.ListJudgePoliciesRequest(page_size=500), metadata=ADMINISTRATOR)
    assert [(each.judge, list(each.keys)) for each in listed.validators if each.owner == owner] == [(first, ["main"])]
    assert len(listed.validators) == 3

    async with database.transaction() as connection:
        query = text("DELETE FROM workers WHERE CAST(judge_keys AS text) = '{}'")
        await connection.execute(query)

    async def warned(key: str, base_url: str | None, name: str = "") -> list[str]:
        judge = {"model": "m", "key": key, "base_url": base_url}
        answer = await put(
            judges, name or named(), stages=[{"kind": "single", "judges": [judge]}], loop=[{"judge": judge}]
        )
        return [warning.code for warning in answer.warnings]

    assert await warned("main", "https://api.openai.com/v1/") == []
    assert await warned("main", None) == []
    assert await warned("main", "https://evil.example/v1") == ["judge_key_elsewhere"]
    assert await warned("spare", "https://api.openai.com/v1") == ["judge_key_unknown"]
    assert await warned("spare", None, named("press.p")) == [], "of tenants' keys validators report nothing"


async def test_only_validators_report_and_only_names_of_keys(channel: grpc.aio.Channel) -> None:
    stub, policy = WorkServiceStub(channel), JudgePolicy(name="default").model_dump_json()
    request = work_pb.ReportJudgeRequest(owner=str(uuid4()), policy_json=policy)
    for token in (ADMINISTRATOR, EXECUTOR):
        assert (await refused(stub.ReportJudge(request, metadata=token)))[1] == "forbidden"
    for fault in (
        {"owner": "nobody", "policy_json": policy},
        {"owner": str(uuid4()), "policy_json": "{}"},
        {"owner": str(uuid4()), "policy_json": policy, "keys": [work_pb.JudgeKey(name="sk-ABC")]},
    ):
        call = stub.ReportJudge(work_pb.ReportJudgeRequest(**fault), metadata=VALIDATOR)
        assert (await refused(call))[0] is Status.INVALID_ARGUMENT


async def test_a_job_is_judged_by_what_was_current_when_it_was_asked_for(
    jobs: Any, judges: Any, database: Database
) -> None:
    name = named()
    policy = {"judge": name, "criteria_set": name}
    call = jobs.CreateJob(create(policy=policy), metadata=ADMINISTRATOR)
    assert (await refused(call))[:2] == (Status.NOT_FOUND, "unknown_judge_policy")
    await put(judges, name)
    call = jobs.CreateJob(create(policy=policy), metadata=ADMINISTRATOR)
    assert (await refused(call))[1] == "unknown_criteria_set"
    await put_set(judges, name, "Is polite")
    job = (await jobs.CreateJob(create(policy=policy, acceptance_criteria=""), metadata=ADMINISTRATOR)).job
    assert (job.policy.judge, job.acceptance_criteria, list(job.criteria)) == (name, "", [])
    await jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id=job.id), metadata=ADMINISTRATOR)
    async with database.session() as session:
        query = text("SELECT CAST(policy AS text) FROM executions WHERE job_id = :id")
        frozen = json.loads(await session.scalar(query, {"id": job.id}))
    assert (frozen["judge"], frozen["criteria_set"]) == (f"{name}@1", f"{name}@1")
