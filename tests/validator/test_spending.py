"""Spending: what judgements consume, on both APIs, and what becomes of a budget."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import fake_judge as fake
import pytest
from fake_judge import FakeJudge, Step
from support.factories import incoming, lease, result_produced
from support.fakes import FakeLeases, FakePublisher, until, working

from contracts.events import ResultProduced
from contracts.judging.policy import JudgeModel
from contracts.resources import Usage
from contracts.signing import KeyUse
from contracts.spending import Budget
from servicekit.leasing.client import ClaimDenied
from servicekit.leasing.worker import LeaseState, Worker
from servicekit.models.forms import ApiName
from signoff.status import ReportKind
from validator.handlers import Handlers
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.ports import Claim, Grant
from validator.prompt import PROMPT_VERSION

MILLION = 1_000_000
USD = Decimal("0.75")  # of a million tokens read, and as many written
NAMES = {"chat": ("prompt_tokens", "completion_tokens"), "responses": ("input_tokens", "output_tokens")}
NONSENSE = fake.says("Sure! Here is my verdict.")


class FakeJudgings:
    """Grants everything within one budget, or answers what it is told to."""

    def __init__(self) -> None:
        self.budget = Budget()
        self.turned: ClaimDenied | None = None
        self.judge_empty = False

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant | ClaimDenied]:
        del owner, room
        events = [ResultProduced.model_validate_json(claim.result) for claim in claims]
        return [self.turned or self._grant(event) for event in events]

    def _grant(self, event: ResultProduced) -> Grant:
        key = lease(event.execution_id, 7, KeyUse.JUDGING)
        asked = {"acceptance_criteria": event.acceptance_criteria, "result_hash": event.result_hash}
        return Grant(lease=key, lease_s=10.0, budget=self.budget, **asked, judge_empty=self.judge_empty)


@pytest.fixture(params=["chat", "responses"])
def api(request: pytest.FixtureRequest) -> ApiName:
    return request.param


@pytest.fixture
def config(server: FakeJudge, api: ApiName) -> JudgeConfig:
    return JudgeConfig(api_key="sk-test", base_url=server.base_url, model="a-model", api=api, timeout_s=10)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker("test", FakeLeases(), capacity=10, outcomes_max=100)
    async with working(worker):
        yield worker


@pytest.fixture
def judgings() -> FakeJudgings:
    return FakeJudgings()


@pytest.fixture
async def reported(worker: Worker, judgings: FakeJudgings, config: JudgeConfig) -> AsyncIterator[Any]:
    publisher = FakePublisher()

    async def run(**fields: Any) -> Any:
        """What is reported of one result."""
        assert await handlers.on_result_produced([incoming(result_produced(**fields))]) == [None]
        await until(lambda: publisher.events)
        return publisher.events[0]

    async with OpenAIJudge(config) as judge:
        handlers = Handlers(worker, judgings, lambda *_: judge, config, publisher)  # type: ignore[arg-type]
        yield run


@pytest.fixture
def costs(api: ApiName) -> Any:
    """The answer of a step, for so many tokens read and written."""

    def make(step: Step, read: int = MILLION, written: int = MILLION) -> Step:
        return fake.charges(step, dict(zip(NAMES[api], (read, written), strict=True)))

    return make


async def test_a_verdict_says_what_it_cost_and_who_judged(
    server: FakeJudge, reported: Any, costs: Any, api: ApiName
) -> None:
    server.plays(costs(fake.ok()))
    report = await reported()
    assert report.kind is ReportKind.VERDICT
    assert (report.usage.tokens, report.usage.cost_usd) == (2 * MILLION, USD)
    place = server.base_url.removeprefix("http://")
    assert report.model_and_prompt.startswith(f"a-model at {place} ({api}, prompt {PROMPT_VERSION}, ")


@pytest.mark.parametrize(
    ("told", "cached"),
    [
        ({"cached_tokens": 600_000}, 600_000),
        ({"cached_tokens": None}, 0),
        ({"cached_tokens": "many"}, 0),
        ({"cached_tokens": -1}, 0),
        ("none", 0),
        ({"cached_tokens": 2 * MILLION}, 2 * MILLION),  # never more than were read has a price
    ],
)
async def test_tokens_that_a_server_has_cached_are_read_priced_and_logged(
    server: FakeJudge, reported: Any, api: ApiName, told: Any, cached: int
) -> None:
    read, written = NAMES[api]
    server.plays(fake.charges(fake.ok(), {read: MILLION, written: 0, f"{read}_details": told}))
    report = await reported()
    assert report.usage.cached_tokens == cached
    assert report.usage.cost_usd == Decimal("0.15") - Decimal(min(cached, MILLION)) / MILLION * Decimal("0.075")
    assert report.verdict.stages[0].asks[0].cached_tokens == (cached or None)


async def test_asks_that_were_answered_with_nonsense_cost_too(server: FakeJudge, reported: Any, costs: Any) -> None:
    server.plays(costs(NONSENSE, 10, 5), costs(fake.refuses(), 10, 5), costs(fake.ok(), 10, 5))
    report = await reported()
    assert report.kind is ReportKind.VERDICT
    assert (report.usage.input_tokens, report.usage.output_tokens) == (30, 15)


async def test_what_was_spent_is_told_of_a_judging_that_is_cancelled_with_the_ask_under_way(
    server: FakeJudge, worker: Worker, judgings: FakeJudgings, config: JudgeConfig, costs: Any
) -> None:
    answers, publisher = asyncio.Event(), FakePublisher()

    async def late(request: Any, body: Any) -> Any:
        await answers.wait()
        return await costs(fake.ok(), 10, 5)(request, body)

    server.plays(costs(NONSENSE, 10, 5), late)
    leases: Any = worker.leases
    async with OpenAIJudge(config) as judge:
        handlers = Handlers(worker, judgings, lambda *_: judge, config, publisher)  # type: ignore[arg-type]
        await handlers.on_result_produced([incoming(result_produced())])
        await until(lambda: len(server.asked) == 2 and leases.held)
        leases.states[leases.held[0]] = LeaseState.CANCELLED
        await until(lambda: leases.held == [])
        assert publisher.events == [], "what the ask costs is known when its answer comes"
        answers.set()
        await until(lambda: publisher.events)
    (report,) = publisher.events
    assert (report.kind, report.usage.input_tokens, report.usage.output_tokens) == (ReportKind.SPENT, 20, 10)


async def test_a_judge_that_is_away_in_between_forgets_no_doubt(server: FakeJudge, reported: Any) -> None:
    away = fake.status(503, headers={"Retry-After": "0"})
    server.plays(fake.ok(evidence="nowhere to be found"), away, fake.ok(), away, fake.ok())
    assert (await reported()).verdict.is_valid
    assert len(server.asked) == 5  # one pass is not enough after the doubt


async def test_a_verdict_without_a_judges_word_names_no_judge(server: FakeJudge, reported: Any) -> None:
    async def refuse_all_but_the_harmless(request: Any, body: Any) -> Any:
        is_harmless = "Two and two" in str(fake.read_request(body).result)
        return await (fake.ok() if is_harmless else fake.refuses())(request, body)

    server.plays(refuse_all_but_the_harmless)
    report = await reported()
    assert (report.kind, report.verdict.judge_error) == (ReportKind.VERDICT, "judge_refused")
    assert report.model_and_prompt is None  # and so it is never reused


@pytest.mark.parametrize("judge_empty", [False, True])
async def test_an_empty_result_is_judged_only_where_the_grant_says_so(
    server: FakeJudge, reported: Any, judgings: FakeJudgings, judge_empty: bool
) -> None:
    judgings.judge_empty = judge_empty
    report = await reported(result={"text": ""})
    assert (report.verdict.is_valid, report.model_and_prompt) == (judge_empty, None)
    assert len(server.asked) == judge_empty


async def test_the_harmless_question_is_within_the_budget_too(
    server: FakeJudge, reported: Any, judgings: FakeJudgings, costs: Any
) -> None:
    judgings.budget = Budget(tokens=4 * 15)
    server.plays(costs(NONSENSE, 10, 5))
    report = await reported()
    assert (report.kind, report.code) == (ReportKind.FAILED, "budget_exhausted")
    assert len(server.asked) == 4


async def test_also_where_nothing_else_came_of_them(server: FakeJudge, reported: Any, costs: Any) -> None:
    server.plays(costs(NONSENSE))
    report = await reported()
    assert (report.kind, report.code, report.model_and_prompt) == (ReportKind.FAILED, "judge_invalid_json", None)
    assert (report.usage.tokens, report.usage.cost_usd) == (10 * MILLION, 5 * USD)


async def test_of_an_unknown_model_the_tokens_count(server: FakeJudge, reported: Any, api: ApiName) -> None:
    server.plays(fake.charges(fake.ok(), dict.fromkeys(NAMES[api], 10), model="our-own"))
    report = await reported()
    assert report.usage == Usage(input_tokens=10, output_tokens=10, model="our-own")


@pytest.mark.parametrize("usage", [None, 5, "many", [], {"prompt_tokens": -1, "input_tokens": -1}])
async def test_malformed_usage_is_ignored(server: FakeJudge, reported: Any, usage: Any) -> None:
    server.plays(fake.charges(fake.ok(), usage))
    report = await reported()
    assert (report.kind, report.usage) == (ReportKind.VERDICT, None)


async def test_the_judge_is_asked_no_more_once_the_budget_is_used_up(
    server: FakeJudge, reported: Any, judgings: FakeJudgings, costs: Any
) -> None:
    judgings.budget = Budget(nanos=1_000_000_000, spent_nanos=250_000_000)
    server.plays(costs(NONSENSE), costs(fake.ok()))
    report = await reported()
    assert (report.kind, report.code) == (ReportKind.FAILED, "budget_exhausted")
    assert report.message.startswith(
        "1 of 1 USD are spent, and the judge is not asked again; asked by prompt 3: judge "
    )
    assert report.usage.cost_usd == USD
    assert len(server.asked) == 1


async def test_a_verdict_stands_whatever_it_cost(
    server: FakeJudge, reported: Any, judgings: FakeJudgings, costs: Any
) -> None:
    judgings.budget = Budget(tokens=1)
    server.plays(costs(fake.ok()))
    assert (await reported()).kind is ReportKind.VERDICT


def test_a_judge_is_named_by_all_that_its_verdicts_depend_on() -> None:
    base = JudgeConfig(model="m")
    others = [
        {"model": "n"},
        {"api": "responses"},
        {"base_url": "http://judge:1/v1"},
        {"base_url": "http://judge:2/v1"},
        {"base_url": "http://judge:2/other/v1"},
        {"section_chars": 9_000},
        {"max_asks": 1},
        {"asks_within_s": 5.0},
        {"thinking_tokens": 0},
        {"parameters": {"temperature": 1}},
        {"refuter": JudgeModel(model="n")},
        {"refuter": JudgeModel(model="n", base_url="http://judge:2/v1")},
    ]
    names = {base.judge_name, *(base.model_copy(update=other).judge_name for other in others)}
    assert len(names) == 1 + len(others)
    aside = {"api_key": "sk-secret", "timeout_s": 5.0, "document_max_chars": 9, "answer_max_bytes": 9}
    assert base.model_copy(update=aside).judge_name == base.judge_name
    secret = base.model_copy(update={"base_url": "http://user:sk-secret@judge:1/v1?key=sk-secret"}).judge_name
    assert "sk-secret" not in secret
