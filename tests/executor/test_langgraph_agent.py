"""An agent on a LangGraph server: one run an execution in the job's thread, found again, and what may go wrong."""

import time
from typing import Any

import pytest
from support.factories import execute_requested, grant, incoming_request
from support.fake_langgraph import (
    USAGE,
    Run,
    answers,
    cuts,
    drips,
    fake_langgraph,
    hangs,
    pours,
    said,
    works_and_cuts,
)
from support.fakes import until

from contracts.agent_settings import MESSAGES, check_settings
from contracts.events import ResultProduced
from contracts.templates import check_json, fill_json
from executor.errors import AgentBusyError
from executor.langgraph_agents import LangGraphAgent
from executor.ports import Call
from servicekit.leasing.worker import LeaseState
from signoff.status import Delivery, Protocol, ReportKind

THREAD, MESSAGE = "0a5d1c0e-5f8e-5b6e-9d3c-0d6f0c3f1a2b", "the execution's message"
OTHER = "another execution's"
AT_MOST_ONCE = {"delivery": Delivery.AT_MOST_ONCE, "max_calls": 3}
HTML = answers(b"<html>")


@pytest.fixture
async def graph():
    async with fake_langgraph() as fake:
        yield fake


@pytest.fixture
def outcome(outcome, graph):
    """What is reported of an execution whose agent is the graph."""

    async def run(settings: dict[str, Any] | None = None, **fields: Any):
        policy = {"heartbeat_timeout_s": 5.0, "attempt_timeout_s": 10.0, **fields.pop("policy", {})}
        ids = {"context_id": THREAD, "message_id": MESSAGE}
        settings = check_settings(Protocol.LANGGRAPH, {"assistant": "agent", **(settings or {})})
        url = fields.pop("url", graph.url)
        return await outcome(url, protocol=Protocol.LANGGRAPH, policy=policy, settings=settings, **{**ids, **fields})

    return run


def ends(status: str, **adds: Any):
    """A plan of runs that end so."""

    def plan(run: Run) -> None:
        run.status, run.adds = status, adds

    return plan


async def test_an_execution_is_a_run_in_the_thread_of_its_job(graph, outcome, publisher):
    graph.work_s = 0.1
    produced = await outcome()
    assert isinstance(produced, ResultProduced)
    assert produced.result == "blue"
    (_, thread), (kind, run) = graph.asked[:2]
    assert (thread, kind) == ({"thread_id": THREAD, "if_exists": "do_nothing"}, "run")
    assert (run["assistant_id"], run["multitask_strategy"]) == ("agent", "reject")
    assert run["metadata"] == {"signoff_message_id": MESSAGE, "signoff_job_id": "job-1"}
    assert run.keys() == {"assistant_id", "input", "metadata", "multitask_strategy"}
    request = {"title": "A title", "acceptance_criteria": 'Says "blue"', "payload": None}
    assert run["input"] == fill_json(MESSAGES, request)
    assert [event.handle for event in publisher.soon] == [graph.runs()[0].run_id]
    assert graph.count("run") == 1


async def test_input_and_output_are_by_template_and_path(graph, outcome):
    graph.plan = ends("success", answer={"items": [1, {"text": ["blue"]}]})
    settings = {
        "input": {"city": "{{payload.city}}", "all": ["{{title}}: {{payload}}"], "limit": 3},
        "output": "answer.items.-1.text",
        "config": {"recursion_limit": 5},
        "context": {"model": "m"},
    }
    produced = await outcome(settings, request={"payload": {"city": "{{title}}"}})
    assert produced.result == ["blue"]
    (run,) = (asked for kind, asked in graph.asked if kind == "run")
    assert run["input"] == {"city": "{{title}}", "all": ['A title: {"city":"{{title}}"}'], "limit": 3}
    assert (run["config"], run["context"]) == ({"recursion_limit": 5}, {"model": "m"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "assistant"),
        ({"assistant": "a", "input": {"x": ["{{env.SECRET}}"]}}, "env is none of"),
        ({"assistant": "a", "input": ["{{payload}}" * 51]}, "has 51 names in braces"),
        ({"assistant": "a", "input": ["{{payload}}" * 30, {"x": "{{title}}" * 30}]}, "has 60 names in braces"),
        ({"assistant": "a", "output": "messages..content"}, "names and numbers"),
        ({"assistant": "a", "config": {"configurable": {"thread_id": "x"}}}, "thread_id"),
        ({"assistant": "a", "config": {"configurable": {"a": 1}}, "context": {"a": 1}}, "leave one of them out"),
        ({"assistant": "a", "webhook": "http://x"}, "webhook"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_when_saved(settings, words):
    with pytest.raises(ValueError, match=words):
        check_settings(Protocol.LANGGRAPH, settings)


@pytest.mark.parametrize(
    ("template", "filled"),
    [("{{payload}}", {"a": 1}), ("{{ payload.a }}", 1), ("{{title}}{{title}}", "xx"), ("{{title}} }}", "x }}")],
)
def test_a_text_that_is_one_name_becomes_its_value_and_any_other_a_text(template, filled):
    assert fill_json(check_json(template), {"title": "x", "payload": {"a": 1}}) == filled


@pytest.mark.parametrize("result", [0, "", [], {"a": None}, None])
async def test_any_json_at_the_path_is_the_result(graph, outcome, result):
    graph.plan = ends("success", answer=result)
    assert (await outcome({"output": "answer"})).result == result


@pytest.mark.parametrize("path", ["answer", "messages.-1.text", "messages.7", "messages.-1.content.0"])
async def test_a_path_that_leads_nowhere_is_said_with_what_is_there(outcome, path):
    report = await outcome({"output": path})
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_output_missing", False)
    assert report.message == f"the state at the run's end has nothing at {path}; it has messages"


async def test_usage_is_that_of_the_messages_of_the_run(graph, outcome):
    graph.plan = ends("success", messages=[said("one"), {"type": "tool", "content": ""}, said("two")])
    await outcome(message_id=OTHER)
    produced = await outcome()
    usage = produced.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.model) == (14, 4, 6, "m")


@pytest.mark.parametrize("usage", [None, "x", {"input_tokens": "7"}, {"input_tokens": -1}, {**USAGE, "x": [1]}])
async def test_usage_that_is_malformed_spoils_no_result(graph, outcome, usage):
    graph.plan = ends("success", messages=[said("blue", usage_metadata=usage, response_metadata=[])])
    assert (await outcome()).result == "blue"


# What an earlier attempt may have left.


@pytest.mark.parametrize("is_known", [True, False], ids=["by its handle", "by its message"])
@pytest.mark.parametrize("follows_only", [True, False])
@pytest.mark.parametrize("work_s", [0.0, 0.2], ids=["finished", "under way"])
async def test_work_of_an_earlier_attempt_is_found(graph, outcome, work_s, follows_only, is_known):
    run = graph.begin(THREAD, "stripped" if is_known else MESSAGE, work_s=work_s, adds={"messages": [said("found")]})
    handle = run.run_id if is_known else None
    produced = await outcome(attempt=2, follows_only=follows_only, handle=handle)
    assert produced.result == "found"
    assert graph.count("run") == 0


@pytest.mark.parametrize("status", ["error", "timeout", "interrupted"])
async def test_work_that_failed_is_sent_anew(graph, outcome, status):
    graph.begin(THREAD, MESSAGE, status=status)
    assert (await outcome(attempt=2)).result == "blue"
    assert graph.count("run") == 1


async def test_work_that_is_not_there_is_sent(graph, outcome):
    graph.begin(THREAD, OTHER)
    assert (await outcome(attempt=2, handle="not/../a run")).result == "blue"
    assert [run.metadata["signoff_message_id"] for run in graph.runs()] == [OTHER, MESSAGE]


@pytest.mark.parametrize("has_thread", [True, False])
async def test_what_must_not_be_sent_again_and_is_not_found_is_unknown(graph, outcome, has_thread):
    if has_thread:
        graph.begin(THREAD, OTHER)
    report = await outcome(attempt=2, follows_only=True, policy=AT_MOST_ONCE)
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_work_unknown", False)
    assert {kind for kind, _ in graph.asked} == {"list"}


async def test_what_must_not_be_sent_again_and_failed_says_so(graph, outcome):
    graph.begin(THREAD, MESSAGE, status="error", adds={"__error__": {"error": "E", "message": "why"}})
    report = await outcome(attempt=2, follows_only=True, policy=AT_MOST_ONCE)
    assert (report.code, report.message) == ("agent_failed", "the run failed: E: why")
    assert graph.count("run") == 0


@pytest.mark.parametrize("fault", [answers({}, 500), cuts, HTML, answers([{"run_id": "../../x", "status": "success"}])])
async def test_nothing_is_sent_where_it_cannot_be_looked(graph, outcome, fault):
    graph.faults["list"] = [fault] * 3
    report = await outcome(attempt=2)
    assert report.kind is ReportKind.FAILED
    assert {kind for kind, _ in graph.asked} == {"list"}


@pytest.mark.parametrize("policy", [{}, AT_MOST_ONCE], ids=["at least once", "at most once"])
async def test_a_run_whose_answer_was_lost_is_found_at_once(graph, outcome, policy):
    graph.faults["run"] = [works_and_cuts]
    graph.work_s = 0.1
    assert (await outcome(policy=policy)).result == "blue"
    assert graph.count("run") == 1


async def test_a_run_that_was_lost_before_it_began_is_not_sent_twice_by_itself(graph, outcome):
    graph.faults["run"] = [cuts]
    report = await outcome(policy=AT_MOST_ONCE)
    assert (report.code, graph.runs()) == ("agent_connection_lost", [])


async def test_the_run_that_another_executor_began_meanwhile_is_followed(graph, outcome):
    graph.begin(THREAD, MESSAGE, work_s=0.2, adds={"messages": [said("the other's")]})
    assert (await outcome()).result == "the other's"  # it did not look, as this is the first call
    assert len(graph.runs()) == 1


async def test_a_thread_that_is_busy_with_another_run_is_waited_for(graph, outcome):
    graph.begin(THREAD, OTHER, work_s=0.3)
    graph.begin(THREAD, MESSAGE, status="error")
    assert (await outcome()).result == "blue"
    assert [run.metadata["signoff_message_id"] for run in graph.runs()] == [OTHER, MESSAGE, MESSAGE]
    assert graph.count("run") > 1


async def test_a_thread_that_stays_busy_ends_with_the_time_of_the_attempt(graph, outcome):
    graph.begin(THREAD, OTHER, work_s=100.0)
    report = await outcome(policy={"attempt_timeout_s": 0.4})
    assert (report.code, report.retryable, len(graph.runs())) == ("agent_timeout", True, 1)


async def test_a_resubmission_is_a_new_run_in_the_same_thread(graph, outcome):
    await outcome(message_id=OTHER)
    graph.plan = lambda run: run.adds.update(messages=[said("bluer")])
    produced = await outcome({"input": {"messages": [{"role": "user", "content": "{{feedback.comment}}"}]}},
                             submission=2, request={"feedback": {"comment": "more"}})  # fmt: skip
    assert produced.result == "bluer"
    assert [message["content"] for message in graph.threads[THREAD].state["messages"]][-2:] == ["more", "bluer"]
    assert len(graph.runs(THREAD)) == 2


async def test_the_state_of_a_thread_that_somebody_else_went_on_with_is_no_result(graph, outcome):
    run = graph.begin(THREAD, MESSAGE)
    graph.begin(THREAD, "of a person")
    report = await outcome(attempt=2, follows_only=True)
    assert (report.code, report.retryable) == ("agent_invalid_status", False)
    assert "another run" in report.message
    assert run.ended


# How runs end.


@pytest.mark.parametrize(
    ("adds", "words"),
    [
        ({"__interrupt__": [{"id": "1", "value": "which\n\x1b[2Jcity?"}]}, '["which\\n\\u001b[2Jcity?"]'),
        ({"__interrupt__": [{"value": {"a": "x" * 9_000}}]}, '[{"a":"xxx'),
        ({"__interrupt__": []}, "it stopped before or after a node"),
        ({"thread_status": "interrupted"}, "it stopped before or after a node"),
    ],
)
async def test_a_graph_that_waits_for_an_answer_is_said_to(graph, outcome, adds, words):
    graph.plan = ends("success", **adds)
    report = await outcome(policy={"max_calls": 3})
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_input_required", False)
    assert report.message.startswith(f"the graph waits for an answer: {words}")
    assert len(report.message) < 600


@pytest.mark.parametrize(
    ("status", "adds", "code", "message"),
    [
        ("error", {"__error__": {"error": "ValueError", "message": "no"}}, "agent_failed", "ValueError: no"),
        ("error", {"__error__": "?"}, "agent_failed", "error: its server does not say why"),
        ("error", {}, "agent_failed", "error: its server does not say why"),
        ("timeout", {}, "agent_failed", "longer than its server allows"),
        ("interrupted", {}, "agent_canceled", "cancelled on its server"),
        ("finished", {}, "agent_invalid_status", "unknown status 'finished'"),
        ("\x1b[2J", {}, "agent_invalid_status", "unknown status"),
    ],
)
async def test_each_end_has_a_code(graph, outcome, status, adds, code, message):
    graph.plan = ends(status, **adds)
    report = await outcome()
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, code, status == "timeout")
    assert message in report.message
    assert report.message.isprintable()


async def test_a_policy_may_name_the_error_after_which_another_call_follows(graph, outcome):
    graph.plan = ends("error", __error__={"error": "RateLimitError", "message": "slow down"})
    report = await outcome(policy={"max_calls": 2, "retry_codes": ["rate_limit_error"]})
    assert report.kind is ReportKind.CALL_FAILED


# What goes wrong on the way.

FAULTS = {
    "thread": [
        (answers({"detail": "who?"}, 401), "agent_status", False),
        (answers({"detail": "Not Found"}, 404), "agent_status", False),
        (answers({}, 500), "agent_status", True),
        (answers({}, 302, Location="/x"), "agent_redirect", False),
        (HTML, "agent_invalid_json", False),
        (hangs, "agent_timeout", True),
        (drips, "agent_timeout", True),
        (pours, "result_too_large", False),
        (cuts, "agent_connection_lost", True),
    ],
    "run": [
        (answers({"detail": "Invalid assistant: 'agent'"}, 422), "agent_status", False),
        (answers({"detail": "Thread or assistant not found."}, 404), "agent_status", False),
        (answers({}, 429), "agent_status", True),
        (answers({}, 503), "agent_status", True),
        (HTML, "agent_invalid_json", False),
        (answers({"run_id": "../../assistants", "status": "pending"}), "agent_invalid_status", False),
        (answers({"run_id": 7, "status": "pending"}), "agent_invalid_status", False),
        (answers({"status": "pending"}), "agent_invalid_status", False),
        (answers([]), "agent_invalid_status", False),
        (hangs, "agent_timeout", True),
        (drips, "agent_timeout", True),
        (pours, "result_too_large", False),
        (cuts, "agent_connection_lost", True),
    ],
    "list": [
        (answers([]), "agent_work_lost", True),
        (answers({}, 404), "agent_work_lost", True),
        (answers({}, 401), "agent_status", False),
        (HTML, "agent_invalid_json", False),
        (answers({"runs": []}), "agent_invalid_status", False),
        (answers([{"run_id": "x"}]), "agent_invalid_status", False),
        (pours, "result_too_large", False),
    ],
    "join": [
        (HTML, "agent_invalid_json", False),
        (answers([1]), "agent_output_missing", False),
        (answers(None), "agent_output_missing", False),
        (answers({}, 404), "agent_work_lost", True),
        (answers({"messages": [said("x" * 200_000)]}), "result_too_large", False),
        (pours, "result_too_large", False),
    ],
    "state": [
        (HTML, "agent_invalid_json", False),
        (answers([]), "agent_invalid_status", False),
    ],
}


@pytest.mark.parametrize(
    ("kind", "fault", "code", "retryable"), [(kind, *each) for kind, faults in FAULTS.items() for each in faults]
)
async def test_each_fault_ends_in_a_code_within_the_deadline(graph, outcome, kind, fault, code, retryable):
    graph.faults[kind] = [fault] * 100
    started = time.monotonic()
    report = await outcome(policy={"attempt_timeout_s": 2.0})
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, code, retryable)
    assert len(report.message) < 1_000
    assert time.monotonic() - started < 6
    assert len(graph.runs()) <= 1


@pytest.mark.parametrize("kind", ["list", "join", "state"])
@pytest.mark.parametrize("fault", [answers({}, 500), answers({}, 429, Retry_After=0), cuts, hangs, drips])
async def test_a_poll_that_fails_is_waited_out(graph, outcome, kind, fault):
    graph.faults[kind] = [fault, fault]
    produced = await outcome(policy={"heartbeat_timeout_s": 1.5})
    assert produced.result == "blue"
    assert len(graph.runs()) == 1


@pytest.mark.parametrize("fault", [answers({}, 500), answers({}, 429), cuts, hangs, drips])
async def test_silence_ends_the_call_and_the_run(graph, outcome, fault):
    graph.work_s, graph.faults["list"] = 100.0, [fault] * 1_000
    report = await outcome(policy={"heartbeat_timeout_s": 0.4})
    assert (report.code, report.retryable) == ("agent_heartbeat_timeout", True)
    await until(lambda: graph.runs()[0].ended == "interrupted")


async def test_retry_after_is_kept(graph, outcome):
    graph.faults["run"] = [answers({}, 429, Retry_After=77)]
    report = await outcome(policy={"max_calls": 2})
    assert (report.kind, report.retry_after_s >= 77) == (ReportKind.ATTEMPT_FAILED, True)


async def test_the_next_call_finds_the_run_of_the_one_before(graph, outcome, publisher):
    graph.faults["list"] = [answers({}, 401)]
    graph.faults["cancel"] = [answers({}, 500)]
    graph.work_s = 0.5
    report = await outcome(policy={"max_calls": 2, "retry_codes": ["401"]})
    assert report.kind is ReportKind.CALL_FAILED
    await until(lambda: len(publisher.events) > 1)
    assert (publisher.events[1].result, graph.count("run")) == ("blue", 1)


async def test_a_run_that_takes_too_long_is_cancelled(graph, outcome):
    graph.work_s = 100.0
    report = await outcome(policy={"attempt_timeout_s": 0.4})
    assert (report.code, report.retryable, graph.runs()[0].ended) == ("agent_timeout", True, "interrupted")
    assert ("cancel", {"wait": "true"}) in graph.asked


async def test_the_run_of_a_cancelled_execution_is_cancelled(graph, handlers, executions, leases, publisher):
    graph.work_s = 100.0
    ids = {"context_id": THREAD, "message_id": MESSAGE, "settings": {"assistant": "agent"}}
    a_grant = grant(url=graph.url, protocol=Protocol.LANGGRAPH, **ids)
    executions.answers[a_grant.lease.execution_id] = a_grant
    request = incoming_request(execute_requested(execution_id=a_grant.lease.execution_id))
    await handlers.on_execute_requested([request])
    await until(lambda: graph.count("list"))
    leases.states[a_grant.lease] = LeaseState.CANCELLED
    await until(lambda: graph.runs()[0].ended == "interrupted")
    assert publisher.events == []


async def test_work_that_was_left_is_stopped_afterwards_and_a_failure_to_is_said(graph, client):
    """An execution that has ended without an executor is looked for by its ids."""
    adapter = LangGraphAgent(client, poll_max_s=0.03)
    ids = {"context_id": THREAD, "message_id": MESSAGE, "settings": {"assistant": "agent"}}
    call = Call(grant(url=graph.url, protocol=Protocol.LANGGRAPH, **ids))
    await adapter.stop_work(call)  # there is no thread
    ended = graph.begin(THREAD, OTHER)
    await adapter.stop_work(call)  # no run of it
    run = graph.begin(THREAD, MESSAGE, work_s=100.0)
    graph.faults["cancel"] = [answers({}, 500)]
    with pytest.raises(AgentBusyError):
        await adapter.stop_work(call)
    assert not run.ended
    await adapter.stop_work(call)
    await adapter.stop_work(call)
    assert (run.ended, ended.ended, graph.count("cancel")) == ("interrupted", "success", 2)


async def test_the_server_may_be_below_a_path_and_what_its_url_asks_for_is_not_sent(graph, outcome):
    report = await outcome(url=f"{graph.url}/below/?x=1#y")
    assert (report.code, graph.asked) == ("agent_status", [("unknown", graph.asked[0][1])])
    assert "404" in report.message


async def test_no_word_of_a_server_shows_a_secret(graph, outcome, environ, caplog):
    environ["SIGNOFF_AGENT_KEY"] = "Bearer s3cret-of-the-graph"
    graph.plan = ends("error", __error__={"error": "E", "message": "s3cret-of-the-graph is wrong"})
    report = await outcome(headers={"X-Api-Key": "env:SIGNOFF_AGENT_KEY"})
    assert report.message == "the run failed: E: *** is wrong"
    assert "s3cret" not in caplog.text
