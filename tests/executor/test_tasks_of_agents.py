"""Tasks of an executor that are no executions: stops of work, tries and checks of agents, and what is said of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from a2a_server import a2a_server, stands
from async_agent import AsyncAgent, status
from fault_agent import hangs, says
from support import fake_model
from support.factories import grant, lease
from support.fake_langgraph import fake_langgraph
from support.fakes import until

from contracts.spending import Budget
from executor.ports import Task, TaskOutcome
from executor.recording import BODY_MAX, KEPT_MAX
from executor.tasks import TaskWorker
from servicekit.errors import PermanentError, TransientError
from signoff.status import Protocol as AgentProtocol
from signoff.status import TaskKind

SECRET = "s3cret-value"
DONE = status("succeeded", result="blue", usage={"input_tokens": 3, "cost_usd": 0.25})


class FakeTasks:
    """A jobstore that gives these tasks, and hears what came of them."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Task] = asyncio.Queue()
        self.finished: dict[Any, TaskOutcome] = {}
        self.outages = 0
        self.keeps_answers = True
        self.unreadable = 0

    async def watch(self, owner: Any, room: int) -> AsyncIterator[Task]:
        del owner, room
        if self.unreadable:
            self.unreadable -= 1
            raise ValueError("a field that is not known here")
        while True:
            yield await self.waiting.get()

    async def finish(self, owner: Any, lease: Any, outcome: TaskOutcome) -> bool:
        del owner
        if self.outages:
            self.outages -= 1
            raise TransientError("away")
        if outcome.answer is not None and not self.keeps_answers:
            raise PermanentError("more than 150 levels deep")
        self.finished[lease] = outcome
        return True


@pytest.fixture
def tasks() -> FakeTasks:
    return FakeTasks()


@pytest.fixture
def asynchronous(agent) -> AsyncAgent:
    return AsyncAgent(agent)


@asynccontextmanager
async def serving(tasks, agents):
    worker = TaskWorker(uuid4(), tasks, agents, Decimal(100))
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


@pytest.fixture
def done(tasks, agents):
    """What comes of a task."""

    async def do(kind: TaskKind, url: str, lease_s: float = 60.0, **fields: Any) -> TaskOutcome:
        a_lease = lease()
        async with serving(tasks, agents):
            tasks.waiting.put_nowait(Task(a_lease, lease_s, kind, grant(lease=a_lease, url=url, **fields)))
            await until(lambda: a_lease in tasks.finished)
        return tasks.finished[a_lease]

    return do


def rows(outcome: TaskOutcome) -> dict[str, tuple[str, str]]:
    return {row["check"]: (row["outcome"], row["message"]) for row in outcome.answer["checks"]}


ASYNC = {"protocol": AgentProtocol.HTTP_ASYNC}


async def test_work_that_goes_on_is_stopped(done, asynchronous):
    asynchronous.takes(status())
    place = f"http://127.0.0.1:{asynchronous.agent.port}/{asynchronous.status_path}"
    outcome = await done(TaskKind.CANCEL, place, handle=place, **ASYNC)
    assert (outcome.code, len(asynchronous.stops), len(asynchronous.posts)) == ("", 1, 0)


@pytest.mark.parametrize("answer", [DONE, says(b"", 404), says(b"", 410)])
async def test_work_that_has_ended_is_left(done, asynchronous, answer):
    asynchronous.takes(answer)
    place = f"http://127.0.0.1:{asynchronous.agent.port}/{asynchronous.status_path}"
    outcome = await done(TaskKind.CANCEL, place, handle=place, **ASYNC)
    assert (outcome.code, asynchronous.stops) == ("", [])


@pytest.mark.parametrize(("http_status", "code"), [(204, ""), (404, ""), (405, ""), (501, ""), (503, "agent_status")])
async def test_a_stop_that_the_agent_did_not_take_is_said_so_that_it_is_tried_again(
    done, asynchronous, http_status, code
):
    asynchronous.takes(status())
    asynchronous.stopping = says(b"", http_status)
    place = f"http://127.0.0.1:{asynchronous.agent.port}/{asynchronous.status_path}"
    outcome = await done(TaskKind.CANCEL, place, handle=place, **ASYNC)
    assert (outcome.code, len(asynchronous.stops)) == (code, 1)


async def test_a_stop_that_fails_says_why_and_work_of_another_origin_is_never_asked(done, agent):
    place = agent.does(says(b"busy", 503))
    outcome = await done(TaskKind.CANCEL, place, handle=place, **ASYNC)
    assert (outcome.code, outcome.message) == ("agent_status", "the agent answered 503: busy")
    count = len(agent.calls)
    outcome = await done(TaskKind.CANCEL, place, handle="http://169.254.169.254/x", **ASYNC)
    assert (outcome.code, len(agent.calls)) == ("", count)


async def test_a_try_has_each_request_and_answer_and_no_secret(done, agent, environ):
    environ["SIGNOFF_AGENT_KEY"] = SECRET
    said = json.dumps({"you": f"said {SECRET}"}).encode()
    url = agent.does(says(said, 200, X_Echo=f"<{SECRET}>", Set_Cookie="session=1"))
    outcome = await done(TaskKind.TRY, url, headers={"X-Key": "env:SIGNOFF_AGENT_KEY"}, request={"payload": "rain"})
    assert outcome.answer["result"] == {"you": "said ***"}
    (exchange,) = outcome.answer["exchanges"]
    assert (exchange["method"], exchange["url"], exchange["status"]) == ("POST", url, 200)
    assert (exchange["request_headers"]["X-Key"], exchange["response_headers"]["Set-Cookie"]) == ("***", "***")
    assert exchange["response_headers"]["X-Echo"] == "<***>"
    assert json.loads(exchange["request_body"])["payload"] == "rain"
    assert SECRET not in json.dumps(outcome.answer["exchanges"])


@pytest.mark.parametrize("kind", [TaskKind.TRY, TaskKind.CHECK])
async def test_no_secret_of_a_call_stands_in_what_an_agent_makes_of_it(done, agent, environ, kind):
    """The agent repeats all that it was sent, in values, names and numbers, and fails or refuses with it."""
    signing = "c2VjcmV0" * 4
    environ |= {"SIGNOFF_AGENT_KEY": f"Bearer {SECRET}", "SIGNOFF_AGENT_PIN": "123456"}
    environ["SIGNOFF_AGENT_SIGNING"] = f"whsec_{signing}"
    status = 200

    async def echoes(writer):
        sent = {**agent.calls[-1].headers}
        said = {"headers": sent, sent["Authorization"]: [123456, {"was": 9123456.5}], "key": f"whsec_{signing}"}
        await says(json.dumps(said).encode(), status, Connection="close", X_Echo=str(sent))(writer)

    keys = {"Authorization": "env:SIGNOFF_AGENT_KEY", "X-Pin": "env:SIGNOFF_AGENT_PIN"}
    asked = {"headers": keys, "signing": "env:SIGNOFF_AGENT_SIGNING"}
    for status, code in ((200, ""), (500, "agent_status")):  # noqa: B007 - it answers with it
        outcome = await done(kind, agent.does(echoes), **asked)
        shown = json.dumps([outcome.answer, outcome.message])
        signatures = [call.headers["webhook-signature"] for call in agent.calls]
        assert outcome.code == code
        assert [secret for secret in (SECRET, "123456", signing, *signatures) if secret in shown] == []
    assert "***" in outcome.message


@pytest.mark.parametrize("slash", ["/", "\\/"])
async def test_a_secret_that_an_agent_repeats_as_json_is_hidden(done, agent, environ, slash):
    environ["SIGNOFF_AGENT_KEY"] = 'a/b"c\\d+e'
    said = json.dumps({"you said": environ["SIGNOFF_AGENT_KEY"]}).replace("/", slash).encode()
    outcome = await done(TaskKind.TRY, agent.does(says(said)), headers={"X-Key": "env:SIGNOFF_AGENT_KEY"})
    assert outcome.answer["exchanges"][0]["response_body"] == '{"you said": "***"}'


async def test_a_try_that_fails_says_what_to_do(done, agent):
    outcome = await done(TaskKind.TRY, agent.does(says(b"oh no", 500)))
    assert (outcome.code, outcome.message) == ("agent_status", "the agent answered 500: oh no")
    outcome = await done(TaskKind.TRY, "http://127.0.0.1:1/")
    (exchange,) = outcome.answer["exchanges"]
    assert (outcome.code, exchange["code"], exchange["status"]) == ("agent_unreachable", "agent_unreachable", None)
    assert exchange["advice"].startswith("The agent could not be reached")
    outcome = await done(TaskKind.TRY, "http://169.254.169.254/")
    assert outcome.code == "agent_address_forbidden"


async def test_a_try_ends_in_the_time_of_the_policy_and_its_work_is_stopped(done, agent, asynchronous):
    outcome = await done(TaskKind.TRY, agent.does(hangs), policy={"attempt_timeout_s": 0.2})
    (exchange,) = outcome.answer["exchanges"]
    assert (outcome.code, exchange["code"]) == ("agent_timeout", "agent_timeout")
    outcome = await done(TaskKind.TRY, asynchronous.takes(status()), policy={"attempt_timeout_s": 0.5}, **ASYNC)
    assert (outcome.code, len(asynchronous.stops)) == ("agent_timeout", 1)


async def test_a_try_has_the_usage_of_its_call_and_bounded_exchanges(done, asynchronous):
    url = asynchronous.takes(*[status()] * (2 * KEPT_MAX), DONE)
    outcome = await done(TaskKind.TRY, url, policy={"attempt_timeout_s": 50.0}, **ASYNC)
    assert (outcome.code, outcome.spent.spent_tokens, outcome.spent.spent_nanos) == ("", 3, 250_000_000)
    exchanges = outcome.answer["exchanges"]
    assert (len(exchanges), outcome.answer["exchanges_left_out"]) == (KEPT_MAX, 2 * KEPT_MAX + 2 - KEPT_MAX)
    assert (exchanges[0]["method"], "succeeded" in exchanges[-1]["response_body"]) == ("POST", True)


async def test_a_long_body_is_cut(done, agent):
    outcome = await done(TaskKind.TRY, agent.does(says(json.dumps("x" * 90_000).encode())))
    assert len(outcome.answer["exchanges"][0]["response_body"]) == BODY_MAX


async def test_what_came_of_a_task_is_said_once_the_jobstore_is_back(done, tasks, agent):
    tasks.outages = 1
    assert (await done(TaskKind.TRY, agent.does(says(b'"blue"')))).answer["result"] == "blue"


async def test_a_task_that_cannot_be_read_does_not_end_the_watch(done, tasks, agent):
    tasks.unreadable = 1
    assert (await done(TaskKind.TRY, agent.does(says(b'"blue"')))).answer["result"] == "blue"


async def test_what_cannot_be_kept_of_a_try_is_said_to_be_the_executors_fault(done, tasks, agent):
    tasks.keeps_answers = False
    outcome = await done(TaskKind.TRY, agent.does(says(b'"blue"')))
    assert (outcome.answer, outcome.code) == (None, "executor_error")
    assert "150 levels" in outcome.message


async def test_an_executor_that_stops_says_that_a_try_is_lost(tasks, agents, agent):
    a_lease = lease()
    async with serving(tasks, agents) as worker:
        tasks.waiting.put_nowait(Task(a_lease, 60.0, TaskKind.TRY, grant(lease=a_lease, url=agent.does(hangs))))
        await until(lambda: agent.calls)
        assert worker.list_leases() == [a_lease]
    assert worker.list_leases() == []
    assert tasks.finished[a_lease].code == "try_lost"


async def test_a_task_of_a_kind_or_protocol_that_is_not_known_says_so(done):
    assert (await done(None, "http://127.0.0.1:1/")).code == "executor_error"
    assert (await done(TaskKind.TRY, "http://127.0.0.1:1/", protocol=None)).code == "executor_error"


async def test_a_check_of_an_agent_that_keeps_to_the_protocol_passes(done, agent):
    async def answers(writer):
        is_json = agent.calls[-1].body.endswith(b"}")
        await says(b'"blue"' if is_json else b"what?", 200 if is_json else 400, Connection="close")(writer)

    outcome = await done(TaskKind.CHECK, agent.does(answers))
    assert outcome.answer["result"] == "blue"
    told = {check: outcome for check, (outcome, _) in rows(outcome).items()}
    assert told == {
        "deadline": "passed",
        "size": "passed",
        "progress": "not_applicable",
        "same_key": "passed",
        "cancel": "not_applicable",
        "error": "passed",
        "signature": "not_applicable",
    }
    first, other = agent.calls[0].headers["Idempotency-Key"], agent.calls[1].headers["Idempotency-Key"]
    assert first != other == agent.calls[2].headers["Idempotency-Key"]
    (row,) = [row for row in outcome.answer["checks"] if row["check"] == "error"]
    assert outcome.answer["exchanges"][row["exchanges"][0]]["status"] == 400


async def test_a_check_tells_what_an_agent_does_wrong_and_what_to_do(done, agent):
    answers = iter(range(100))

    async def counts(writer):
        await says(json.dumps(next(answers)).encode(), Connection="close")(writer)

    outcome = await done(TaskKind.CHECK, agent.does(counts))
    found = rows(outcome)
    assert found["same_key"] == (
        "failed",
        "the second call with the same key had another result: the work is done twice",
    )
    assert found["error"] == ("failed", "it took a body that is no JSON")
    assert all("advice" in row for row in outcome.answer["checks"] if row["outcome"] == "failed")


async def test_a_check_of_an_asynchronous_agent_sends_twice_and_stops_the_work(done, asynchronous):
    running = [status("running", progress=0.5), DONE]
    url = asynchronous.takes(*running, says(b"", 404, Connection="close"), Connection="close")
    outcome = await done(TaskKind.CHECK, url, **ASYNC)
    found = rows(outcome)
    assert (found["progress"][0], found["same_key"][0], found["cancel"][0]) == ("passed",) * 3
    assert found["error"] == ("failed", "it took a body that is no JSON")
    assert len(asynchronous.stops) == 2  # of the work under one key, and of what should not have been taken


async def test_a_check_makes_no_further_call_once_the_budget_is_used_up(done, agent):
    url = agent.does(says(b'"blue"', Signoff_Usage='{"cost_usd": 1}'))
    budget = grant(policy={"budget_usd": "1"}).policy
    whole = {"policy": {"budget_usd": budget.budget_usd}, "budget": Budget.under(vars(budget), 0, 0)}
    outcome = await done(TaskKind.CHECK, url, **whole)
    assert len(agent.calls) == 1
    assert rows(outcome)["same_key"] == ("not_applicable", "the agent's budget is used up: 1 of 1 USD are spent")
    assert outcome.spent.spent_nanos == 1_000_000_000


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(says(b"", 401, Connection="close"), "passed"), (says(b'"blue"', Connection="close"), "failed")],
)
async def test_a_check_signs_a_call_wrongly_to_see_whether_the_agent_notices(done, agent, environ, answer, expected):
    environ["SIGNOFF_AGENT_SIGNING"] = "whsec_" + "c2VjcmV0" * 4
    outcome = await done(TaskKind.CHECK, agent.does(answer), signing="env:SIGNOFF_AGENT_SIGNING")
    assert rows(outcome)["signature"][0] == expected
    sent = [exchange["request_headers"] for exchange in outcome.answer["exchanges"]]
    assert {headers["webhook-signature"] for headers in sent} == {"***"}


async def test_a_check_of_an_agent_that_never_answers_ends_in_time(done, agent):
    outcome = await done(TaskKind.CHECK, agent.does(hangs), lease_s=16.0, policy={"attempt_timeout_s": 0.2})
    assert (outcome.code, rows(outcome)["deadline"][0]) == ("agent_timeout", "failed")
    assert rows(outcome)["same_key"] == ("not_applicable", "there was no time for it within 1 s")
    assert len(outcome.answer["checks"]) == 7


#: What a check says of an agent that keeps to a protocol without signatures or bodies of ours.
KEPT = {
    "deadline": "passed",
    "size": "passed",
    "progress": "not_applicable",
    "same_key": "passed",
    "cancel": "passed",
    "error": "not_applicable",
    "signature": "not_applicable",
}
OURS = {"context_id": "a-context", "message_id": "a-message"}


@pytest.fixture
async def model() -> AsyncIterator[fake_model.FakeModel]:
    model = fake_model.FakeModel()
    await model.start()
    yield model
    await model.stop()


@pytest.mark.parametrize("settings", [{"api": "chat"}, {"api": "responses"}])
async def test_a_check_of_a_model_asks_it_once(done, model, settings):
    """There is no key by which a second request would be known, nothing to stop, and each request is paid."""
    asked = {"protocol": AgentProtocol.OPENAI, "settings": {"model": "m", **settings}}
    outcome = await done(TaskKind.CHECK, model.base_url, **asked)
    assert outcome.answer["result"] == "It is blue."
    told = {check: outcome for check, (outcome, _) in rows(outcome).items()}
    assert told == KEPT | {"same_key": "not_applicable", "cancel": "not_applicable"}
    assert len(model.asked) == len(outcome.answer["exchanges"]) == 1
    tried = await done(TaskKind.TRY, model.base_url, **asked, budget=Budget.under({"budget_tokens": 500}, 0, 0))
    assert (tried.answer["result"], len(model.asked)) == ("It is blue.", 2)
    assert [500 in body.values() for body in model.asked] == [False, True]  # the most tokens that it may answer


async def test_a_check_of_a_model_in_the_background_stops_a_response(done, model):
    model.plays(fake_model.goes_on(fake_model.says("It is blue.")), fake_model.goes_on(fake_model.runs()))
    settings = {"model": "m", "background": True}
    outcome = await done(TaskKind.CHECK, model.base_url, protocol=AgentProtocol.OPENAI, settings=settings)
    told = {check: outcome for check, (outcome, _) in rows(outcome).items()}
    assert told == KEPT | {"same_key": "not_applicable"}
    assert (len(model.asked), len(model.cancelled)) == (2, 1)


async def test_a_check_of_a_graph_finds_a_run_again_and_stops_it(done):
    async with fake_langgraph() as graph:
        asked = {"protocol": AgentProtocol.LANGGRAPH, "settings": {"assistant": "agent"}, **OURS}
        tried = await done(TaskKind.TRY, graph.url, **asked)
        assert (tried.code, tried.answer["result"], len(graph.runs())) == ("", "blue", 1)
        plan = graph.plan

        def goes_on_after_the_first(run):
            plan(run)
            run.work_s = 1000.0 * (len(graph.runs()) - 1)

        graph.plan = goes_on_after_the_first
        outcome = await done(TaskKind.CHECK, graph.url, **{**asked, "context_id": "another"})
    assert {check: outcome for check, (outcome, _) in rows(outcome).items()} == KEPT
    assert [run.ended for run in graph.runs()] == ["success", "success", "interrupted"]


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_a_check_of_a_server_finds_a_task_again_and_cancels_it(done, binding):
    async with a2a_server(binding) as server:
        asked = {"protocol": AgentProtocol.A2A, "settings": {}, **OURS}
        blue = stands("COMPLETED", None, {"text": "blue"})
        tried = await done(TaskKind.TRY, server.plan(blue), **asked)
        assert (tried.code, tried.answer["result"]) == ("", "blue")
        server.plan(stands(words="half of it"), blue)
        server.plan(stands())
        outcome = await done(TaskKind.CHECK, server.url, **asked)
        assert {check: outcome for check, (outcome, _) in rows(outcome).items()} == KEPT | {"progress": "passed"}
        assert (server.canceled, len(server.tasks)) == (["task-3"], 3)

        server.errors["ListTasks"] = -32004
        server.plan(blue)
        server.plan(stands())
        outcome = await done(TaskKind.CHECK, server.url, **asked)
        (row,) = [row for row in outcome.answer["checks"] if row["check"] == "same_key"]
        assert (row["outcome"], "agent_work_unknown" in row["message"], "List the work" in row["advice"]) == (
            "failed",
            True,
            True,
        )
        assert server.canceled == ["task-3", "task-5"]


@pytest.mark.parametrize(("is_done", "told"), [(True, "passed"), (False, "failed")])
async def test_a_check_knows_work_that_ended_by_itself_from_work_that_cannot_be_stopped(done, is_done, told):
    blue = stands("COMPLETED", None, {"text": "blue"})
    async with a2a_server("JSONRPC") as server:
        server.errors["CancelTask"] = -32002
        server.plan(blue)
        server.plan(blue if is_done else stands())
        outcome = await done(TaskKind.CHECK, server.url, protocol=AgentProtocol.A2A, **OURS)
    assert rows(outcome)["cancel"][0] == told


async def test_work_whose_first_answer_was_lost_is_cancelled_afterwards_by_our_ids(done):
    """Nobody has a name for it: the executor was lost before the answer to the request that began the work."""
    async with fake_langgraph() as graph, a2a_server("JSONRPC") as server:
        run = graph.begin(OURS["context_id"], OURS["message_id"], work_s=1000.0)
        settings = {"assistant": "agent"}
        outcome = await done(TaskKind.CANCEL, graph.url, protocol=AgentProtocol.LANGGRAPH, settings=settings, **OURS)
        assert (outcome.code, run.ended, graph.count("run")) == ("", "interrupted", 0)
        server.spoilt["SendMessage"], server.is_done_first = [hangs], True
        tried = {"policy": {"attempt_timeout_s": 0.3}, "protocol": AgentProtocol.A2A, **OURS}
        await done(TaskKind.TRY, server.plan(stands()), **tried)
        assert (server.count("SendMessage"), [*server.tasks]) == (1, ["task-1"])
        server.canceled.clear()
        server.tasks["task-1"].is_canceled = False
        outcome = await done(TaskKind.CANCEL, server.url, protocol=AgentProtocol.A2A, **OURS)
        assert (outcome.code, server.canceled, server.count("SendMessage")) == ("", ["task-1"], 1)
