"""Usage: what an agent says that its calls consumed, and what becomes of a budget."""

import json
from decimal import Decimal

import pytest
from async_agent import AsyncAgent, status
from fault_agent import hangs, says
from support.factories import execute_requested, grant, incoming_request, lease
from support.fakes import until

from contracts.events import ResultProduced
from contracts.resources import Usage
from contracts.spending import CALL_COST_MAX_USD, Budget
from executor.errors import AgentBusyError, AgentStatusError
from executor.handlers import Handlers
from signoff.status import Protocol as AgentProtocol
from signoff.status import ReportKind

SAID = {"input_tokens": 70, "output_tokens": 30, "cost_usd": "0.25", "claimed_usd": None, "model": "a-model"}
ASYNC = AgentProtocol.HTTP_ASYNC


def header(usage=SAID):
    return {"Signoff_Usage": usage if isinstance(usage, str) else json.dumps(usage)}


async def test_usage_comes_with_the_result(agent, outcome):
    produced = await outcome(agent.does(says(b'"blue"', **header())))
    assert (produced.result, produced.usage.model_dump()) == ("blue", SAID)


async def test_without_the_header_nothing_is_known(agent, outcome):
    assert (await outcome(agent.does(says(b'"blue"')))).usage is None


async def test_a_price_that_is_not_said_follows_from_the_model(agent, outcome):
    said = {"input_tokens": 1_000_000, "model": "gpt-4o-mini"}
    produced = await outcome(agent.does(says(b'"blue"', **header(said))))
    assert produced.usage.cost_usd == Decimal("0.15")


@pytest.mark.parametrize("said", [{"input_tokens": 5}, {"cost_usd": "0.5"}, {"model": "x", "and": "more"}, {}])
async def test_all_of_it_may_be_left_out(agent, outcome, said):
    produced = await outcome(agent.does(says(b'"blue"', **header(said))))
    assert produced.usage.model_dump(exclude_defaults=True) == {k: v for k, v in said.items() if k != "and"}


@pytest.mark.parametrize(
    "said",
    [
        "",
        "12",
        "[]",
        "null",
        "{",
        '{"input_tokens": -1}',
        '{"input_tokens": 1e30}',
        '{"output_tokens": "many"}',
        '{"cost_usd": NaN}',
        '{"cost_usd": 1e999}',
        '{"cost_usd": -0.1}',
        '{"cost_usd": "NaN"}',
        '{"cost_usd": "1e400"}',
        f'{{"cost_usd": "{"1" * 5_000}"}}',
        '{"model": 5}',
        '{"model": "\udcff"}',
        f'{{"model": "{"x" * 500}"}}',
    ],
)
@pytest.mark.parametrize("protocol", [AgentProtocol.HTTP, ASYNC])
async def test_malformed_usage_is_ignored(agent, outcome, said, protocol, caplog):
    produced = await outcome(agent.does(says(b'"blue"', **header(said))), protocol=protocol)
    assert (produced.result, produced.usage) == ("blue", None)
    assert "usage is ignored" in caplog.text


async def test_a_failed_call_with_usage_counts_too(agent, outcome):
    failed = await outcome(agent.does(says(b"no", 400, **header())))
    assert (failed.kind, failed.usage.tokens, failed.usage.cost_usd) == (ReportKind.FAILED, 100, 0.25)


@pytest.mark.parametrize("ends", [{"state": "succeeded", "result": "blue"}, {"state": "failed"}, {"state": "declined"}])
async def test_an_asynchronous_agent_says_it_at_the_end(agent, outcome, ends):
    running = status(usage={"input_tokens": 1})
    reported = await outcome(AsyncAgent(agent).takes(running, status(**ends, usage=SAID)), protocol=ASYNC)
    assert reported.usage.model_dump() == SAID


async def test_or_in_the_header_of_its_last_answer(agent, outcome):
    last = says(json.dumps({"state": "succeeded", "result": "blue", "usage": {"cost_usd": 9}}).encode(), **header())
    produced = await outcome(AsyncAgent(agent).takes(last, **header({"cost_usd": 5})), protocol=ASYNC)
    assert produced.usage.model_dump() == SAID


async def test_an_asynchronous_agents_malformed_usage_is_ignored(agent, outcome):
    ended = status("succeeded", result="blue", usage={"cost_usd": "much"})
    produced = await outcome(AsyncAgent(agent).takes(ended), protocol=ASYNC)
    assert (produced.result, produced.usage) == ("blue", None)


async def test_a_call_that_is_never_answered_has_no_usage(agent, outcome):
    failed = await outcome(agent.does(hangs), policy={"attempt_timeout_s": 0.05})
    assert (failed.code, failed.usage) == ("agent_timeout", None)


@pytest.mark.parametrize("succeeds", [True, False])
async def test_work_that_an_earlier_call_saw_fail_is_counted_once(agent, handlers, executions, publisher, succeeds):
    """The next call looks at that work before it sends, and has the usage of its own."""
    failed = status("failed", error={"retryable": True}, usage=SAID)
    working = AsyncAgent(agent)
    url = working.takes(failed, failed, status("succeeded", result="blue") if succeeds else status("failed"))
    a_lease, budget = lease(), Budget(tokens=150)
    policy = {"max_calls": 2, "backoff_max_s": 0.0}
    executions.answers[a_lease.execution_id] = grant(
        lease=a_lease, url=url, protocol=ASYNC, policy=policy, budget=budget
    )
    await handlers.on_execute_requested([incoming_request(execute_requested(execution_id=a_lease.execution_id))])
    await until(lambda: len(publisher.events) == 2)
    assert [event.usage and event.usage.tokens for event in publisher.events] == [100, None]
    assert len(working.posts) == 2


async def test_the_end_of_work_that_is_only_followed_is_counted_once(agent, outcome):
    failed = status("failed", error={"code": "no_paper", "retryable": True}, usage=SAID)
    working = AsyncAgent(agent)
    working.takes(failed)
    kept = {"handle": f"/{working.status_path}", "follows_only": True, "attempt": 2}
    policy = {"max_calls": 5, "retry_codes": ["no_paper"]}
    reported = await outcome(agent.does(says(b"")), protocol=ASYNC, policy=policy, **kept)
    assert (reported.kind, reported.code, reported.usage.tokens) == (ReportKind.FAILED, "agent_failed", 100)


async def test_a_result_that_was_found_is_counted(agent, outcome):
    working = AsyncAgent(agent)
    working.takes(status("succeeded", result="blue", usage=SAID))
    url = agent.does(says(b""))
    produced = await outcome(url, protocol=ASYNC, handle=f"/{working.status_path}", attempt=2)
    assert (produced.result, produced.usage.tokens, working.posts) == ("blue", 100, [])


class Costly:
    """An agent whose calls cost something each, and one execution of it."""

    def __init__(self, worker, executions, publisher, usage, steps):
        self.executions, self.publisher = executions, publisher
        self.usage, self.steps, self.calls = usage, iter(steps), 0
        self.handlers = Handlers(worker, executions, {AgentProtocol.HTTP: self}, publisher)

    async def call(self, call):
        self.calls += 1
        call.spend(self.usage)
        step = next(self.steps)
        if isinstance(step, Exception):
            raise step
        return step

    async def run(self, **fields):
        """What was reported, the last of it an outcome."""
        a_lease = lease()
        self.executions.answers[a_lease.execution_id] = grant(lease=a_lease, **fields)
        before = len(self.publisher.events)
        await self.handlers.on_execute_requested(
            [incoming_request(execute_requested(execution_id=a_lease.execution_id))]
        )
        await until(lambda: any(_ends(event) for event in self.publisher.events[before:]))
        return self.publisher.events[before:]


def _ends(event):
    return isinstance(event, ResultProduced) or event.kind is not ReportKind.CALL_FAILED


@pytest.fixture
def costly(worker, executions, publisher):
    def make(*steps, usage):
        return Costly(worker, executions, publisher, usage, steps)

    return make


BUSY = AgentBusyError("busy", status=503)


async def test_no_further_call_is_made_once_the_budget_is_used_up(costly):
    agent = costly(BUSY, BUSY, "blue", usage=Usage(cost_usd=0.25))
    first, last = await agent.run(budget=Budget(nanos=1_000_000_000, spent_nanos=500_000_000), policy={"max_calls": 5})
    assert (first.kind, first.usage.cost_usd) == (ReportKind.CALL_FAILED, 0.25)
    assert (last.kind, last.code, last.usage.cost_usd) == (ReportKind.FAILED, "budget_exhausted", 0.25)
    assert last.message == "1 of 1 USD are spent, and the agent is not called again; call 2 failed: busy"
    assert (last.retryable, last.call, agent.calls) == (True, 2, 2)


async def test_neither_here_nor_later(costly):
    agent = costly(AgentBusyError("busy", retry_after_s=100.0), usage=Usage(input_tokens=10))
    (last,) = await agent.run(budget=Budget(tokens=10))
    assert (last.kind, last.code) == (ReportKind.FAILED, "budget_exhausted")


async def test_within_its_budget_it_is_called_again(costly):
    agent = costly(BUSY, "blue", usage=Usage(input_tokens=10))
    *_, produced = await agent.run(budget=Budget(tokens=11))
    assert (produced.result, produced.usage.tokens) == ("blue", 10)


async def test_a_result_and_a_failure_for_good_stand_whatever_they_cost(costly):
    (produced,) = await costly("blue", usage=Usage(input_tokens=50)).run(budget=Budget(tokens=10))
    assert produced.result == "blue"
    (failed,) = await costly(AgentStatusError("who?"), usage=Usage(input_tokens=50)).run(budget=Budget(tokens=10))
    assert failed.code == "agent_status"


@pytest.mark.parametrize(
    "said",
    [{"cost_usd": 1_000_000}, {"input_tokens": 2**40, "model": "gpt-4o-mini"}, {"cost_usd": 500, "claimed_usd": 1}],
)
async def test_one_call_costs_no_more_than_it_may_whatever_its_agent_claims(agent, outcome, said):
    produced = await outcome(agent.does(says(b'"blue"', **header(said))))
    assert produced.usage.cost_usd == CALL_COST_MAX_USD
    assert produced.usage.claimed_usd == said.get("cost_usd", Decimal("164926.744166400"))


async def test_what_may_be_claimed_is_not_marked(agent, outcome):
    produced = await outcome(
        agent.does(says(b'"blue"', **header({"cost_usd": str(CALL_COST_MAX_USD), "claimed_usd": 7})))
    )
    assert (produced.usage.cost_usd, produced.usage.claimed_usd) == (CALL_COST_MAX_USD, None)
