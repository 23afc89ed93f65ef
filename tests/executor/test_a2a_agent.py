"""A2A servers: where the card says they are, what they are sent, and what becomes of their tasks."""

import json
from dataclasses import replace

import pytest
from a2a_server import BLUE, A2AServer, a2a_server, stands
from fault_agent import drips, fault_agent, hangs, pours, says, sends
from support.factories import execute_requested, grant, incoming_request, lease
from support.fakes import until

from contracts.events import JobStatusReported, ResultProduced
from executor.a2a_agents import A2AAgent
from executor.ports import Call
from executor.work import Work
from servicekit.leasing.worker import LeaseState
from signoff.status import Delivery, Protocol, ReportKind

IDS = {"context_id": "our-context", "message_id": "our-message"}
HTML = says(b"<html>Welcome</html>", Content_Type="text/html")


@pytest.fixture(params=["JSONRPC", "HTTP+JSON"])
async def server(request):
    async with a2a_server(request.param) as server:
        yield server


@pytest.fixture
def outcome(outcome):
    async def run(url: str, **fields):
        policy = {"heartbeat_timeout_s": 5.0, **fields.pop("policy", {})}
        return await outcome(url, protocol=Protocol.A2A, policy=policy, **{**IDS, **fields})

    return run


@pytest.fixture
def begun(handlers, executions):
    """An execution under way; its lease."""

    async def begin(url: str, **fields):
        policy = {"heartbeat_timeout_s": 5.0, **fields.pop("policy", {})}
        a_grant = grant(lease=lease(), url=url, protocol=Protocol.A2A, policy=policy, **{**IDS, **fields})
        executions.answers[a_grant.lease.execution_id] = a_grant
        request = execute_requested(execution_id=a_grant.lease.execution_id)
        await handlers.on_execute_requested([incoming_request(request)])
        return a_grant.lease

    return begin


def progress(publisher) -> list[JobStatusReported]:
    return [event for event in publisher.soon if event.kind is ReportKind.PROGRESS]


async def test_a_message_makes_a_task_which_is_asked_for_until_it_ends(server: A2AServer, outcome, publisher):
    url = server.plan(stands("SUBMITTED"), stands(words="half of it"), BLUE)
    produced = await outcome(url, request={"payload": {"city": "Köln"}})
    assert produced.result == "blue"
    message = server.sent()
    assert (message["contextId"], message["messageId"], message["role"]) == ("our-context", "our-message", "ROLE_USER")
    assert "Köln" in message["parts"][0]["text"]
    assert "referenceTaskIds" not in message
    assert server.asked[0][1]["configuration"]["returnImmediately"] is True
    assert {call.headers["A2A-Version"] for call in server.calls} == {"1.0"}
    kinds = {"JSONRPC": "application/json", "HTTP+JSON": "application/a2a+json, application/json"}
    assert {call.headers["Accept"] for call in server.calls[1:]} == {kinds[server.binding]}
    assert [event.message for event in progress(publisher) if event.message] == ["half of it"]
    assert (server.count("SendMessage"), server.count("ListTasks"), server.canceled) == (1, 0, [])


async def test_the_handle_is_the_tasks_id(server: A2AServer, outcome, publisher):
    await outcome(server.plan(stands(), BLUE))
    assert [event.handle for event in publisher.soon if event.handle] == ["task-1"]


async def test_a_message_may_answer_in_place_of_a_task(server: A2AServer, outcome):
    server.message = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"data": {"sky": "blue"}}]}
    assert (await outcome(server.url)).result == {"sky": "blue"}


TEXT, DATA, FILE = {"text": "blue"}, {"data": {"sky": ["blue"]}}, {"url": "http://127.0.0.1/a", "filename": "a"}


@pytest.mark.parametrize(
    ("parts", "settings", "result"),
    [
        ([TEXT], {}, "blue"),
        ([DATA], {}, {"sky": ["blue"]}),
        ([{"data": None}], {}, None),
        ([], {}, None),
        ([TEXT, DATA], {}, ["blue", {"sky": ["blue"]}]),
        ([TEXT, TEXT], {}, ["blue", "blue"]),
        ([TEXT], {"output": "parts"}, ["blue"]),
        ([TEXT, TEXT, FILE], {"output": "text"}, "blueblue"),
        ([TEXT, DATA], {"output": "data"}, {"sky": ["blue"]}),
        ([TEXT], {"artifact": "answer"}, "blue"),
        ([TEXT], {"artifact": "a1"}, "blue"),
        ([TEXT], {"artifact": "another"}, None),
    ],
)
async def test_parts_become_the_result(server: A2AServer, outcome, parts, settings, result):
    produced = await outcome(server.plan(stands("COMPLETED", None, *parts)), settings=settings)
    assert produced.result == result


@pytest.mark.parametrize(
    ("parts", "settings"),
    [
        ([FILE], {}),
        ([TEXT, {"raw": "AAAA"}], {}),
        ([{}], {}),
        ([{"text": 1}], {}),
        ([TEXT], {"output": "data"}),
        ([DATA, DATA], {"output": "data"}),
    ],
)
async def test_a_part_that_is_no_result_has_a_code(server: A2AServer, outcome, parts, settings):
    report = await outcome(server.plan(stands("COMPLETED", None, *parts)), settings=settings)
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_part_unsupported", False)


async def test_the_last_message_is_the_result_where_there_is_no_artifact(server: A2AServer, outcome):
    assert (await outcome(server.plan(stands("COMPLETED", "blue")))).result == "blue"


async def test_template_and_data_are_filled_with_the_request(server: A2AServer, outcome):
    settings = {"template": "{{title}}: {{payload.city}}", "data": {"where": "{{payload.city}}", "n": 1}}
    await outcome(server.plan(BLUE), settings=settings, request={"payload": {"city": "{{title}}"}})
    assert server.sent()["parts"] == [{"text": "A title: {{title}}"}, {"data": {"where": "{{title}}", "n": 1}}]


@pytest.mark.parametrize(
    ("state", "kind", "code", "canceled"),
    [
        ("FAILED", ReportKind.FAILED, "agent_failed", []),
        ("CANCELED", ReportKind.FAILED, "agent_canceled", []),
        ("REJECTED", ReportKind.DECLINED, "agent_declined", []),
        ("INPUT_REQUIRED", ReportKind.FAILED, "agent_input_required", ["task-1"]),
        ("AUTH_REQUIRED", ReportKind.FAILED, "agent_auth_required", ["task-1"]),
        ("PAUSED", ReportKind.FAILED, "agent_invalid_status", ["task-1"]),
    ],
)
async def test_each_end_of_a_task_has_a_code(server: A2AServer, outcome, state, kind, code, canceled):
    report = await outcome(server.plan(stands(), stands(state, "which\x00 city?")))
    assert (report.kind, report.code, report.retryable) == (kind, code, False)
    if state != "PAUSED":
        assert "which� city?" in report.message
    assert server.canceled == canceled


async def test_a_resubmission_is_a_new_task_that_refers_to_the_one_before(server: A2AServer, outcome):
    await outcome(server.plan(BLUE))
    await outcome(server.plan(stands("FAILED")), submission=2, message_id="second")
    feedback = {"comment": "in capitals", "verdict": None}
    await outcome(server.plan(BLUE), submission=3, message_id="third", request={"feedback": feedback})
    first, second, third = (server.sent(number) for number in range(3))
    assert {message["contextId"] for message in (first, second, third)} == {"our-context"}
    assert (second["referenceTaskIds"], third["referenceTaskIds"]) == (["task-1"], ["task-1"])
    assert "in capitals" in third["parts"][0]["text"]


async def test_a_resubmission_needs_no_list(server: A2AServer, outcome):
    server.errors["ListTasks"] = -32004
    assert (await outcome(server.plan(BLUE), submission=2)).result == "blue"
    assert "referenceTaskIds" not in server.sent()


# Work that is under way.


@pytest.mark.parametrize("delivery", Delivery)
async def test_a_lost_answer_is_found_by_the_message_and_not_sent_again(server: A2AServer, outcome, delivery):
    """The answer to the message is lost; the same call finds its task in the job's context."""
    server.spoilt["SendMessage"], server.is_done_first = [sends(b"")], True
    produced = await outcome(server.plan(stands(), BLUE), policy={"delivery": delivery})
    assert produced.result == "blue"
    assert (server.count("SendMessage"), server.count("ListTasks")) == (1, 1)


async def test_a_message_that_was_not_taken_is_lost_with_its_answer(server: A2AServer, outcome):
    server.spoilt["SendMessage"] = [sends(b"")]
    report = await outcome(server.plan(BLUE), policy={"delivery": Delivery.AT_MOST_ONCE})
    assert report.code == "agent_connection_lost"
    assert (server.count("SendMessage"), server.count("ListTasks")) == (1, 1)


async def test_a_lost_answer_stays_lost_where_the_agent_does_not_say_whether_it_works(server: A2AServer, outcome):
    server.spoilt["SendMessage"], server.is_done_first = [sends(b"")], True
    server.errors["ListTasks"] = -32603
    report = await outcome(server.plan(stands(), BLUE), policy={"delivery": Delivery.AT_MOST_ONCE})
    assert report.code == "agent_connection_lost"


@pytest.mark.parametrize("follows_only", [False, True])
async def test_running_work_is_followed_and_finished_work_taken(server: A2AServer, outcome, follows_only):
    server.plan(stands("SUBMITTED"))
    await outcome(server.url, policy={"attempt_timeout_s": 0.2})
    (task,) = server.tasks.values()
    for steps in ([stands(), BLUE], [BLUE]):
        task.is_canceled, task.coming = False, iter([*steps, BLUE, BLUE])
        produced = await outcome(server.url, attempt=2, handle="task-1", follows_only=follows_only)
        assert produced.result == "blue"
    assert server.count("SendMessage") == 1


async def test_work_that_failed_is_sent_anew_and_never_if_it_must_not_be(server: A2AServer, outcome):
    await outcome(server.plan(stands("FAILED", "no paper")))
    report = await outcome(server.url, attempt=2, follows_only=True)
    assert (report.code, server.count("SendMessage")) == ("agent_failed", 1)
    produced = await outcome(server.plan(BLUE), attempt=2, handle="task-1")
    assert (produced.result, server.count("SendMessage")) == ("blue", 2)
    # The newest that goes on or is completed counts, whatever failed before it.
    assert (await outcome(server.url, attempt=3, handle="task-1")).result == "blue"
    assert server.count("SendMessage") == 2


async def test_a_decline_that_was_not_heard_is_no_reason_to_ask_again(server: A2AServer, outcome):
    await outcome(server.plan(stands("REJECTED", "not mine")))
    report = await outcome(server.url, attempt=2)
    assert (report.kind, server.count("SendMessage")) == (ReportKind.DECLINED, 1)


@pytest.mark.parametrize("code", [-32004, -32601])
async def test_a_server_that_lists_nothing_is_asked_for_the_handle(server: A2AServer, outcome, code):
    server.errors["ListTasks"] = code
    await outcome(server.plan(BLUE))
    assert (await outcome(server.url, attempt=2, handle="task-1", follows_only=True)).result == "blue"
    report = await outcome(server.url, attempt=2, follows_only=True)
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_work_unknown", False)
    assert server.count("SendMessage") == 1
    assert (await outcome(server.plan(BLUE), attempt=2)).result == "blue"  # it may be called again
    assert server.count("SendMessage") == 2


async def test_a_task_that_is_not_ours_is_not_taken(server: A2AServer, outcome):
    await outcome(server.plan(BLUE), message_id="another")
    report = await outcome(server.url, attempt=2, follows_only=True)
    assert report.code == "agent_work_unknown"


async def test_nothing_is_sent_while_it_is_not_known_what_is_there(server: A2AServer, outcome):
    server.errors["ListTasks"] = -32603
    report = await outcome(server.url, attempt=2)
    assert (report.code, report.retryable, server.count("SendMessage")) == ("agent_status", True, 0)
    server.plan(BLUE)
    await outcome(server.url)
    assert (await outcome(server.url, attempt=2, handle="task-1")).result == "blue"  # its handle is enough


async def test_a_list_of_many_pages_ends(server: A2AServer, outcome):
    page = {"tasks": [], "nextPageToken": "more"}
    answer = {"jsonrpc": "2.0", "id": 1, "result": page} if server.binding == "JSONRPC" else page
    server.spoilt["ListTasks"] = says(json.dumps(answer).encode())
    report = await outcome(server.url, attempt=2, follows_only=True)
    assert (report.code, server.count("ListTasks")) == ("agent_work_unknown", 10)


async def test_cancelled_work_is_cancelled_at_the_agent(server: A2AServer, begun, leases, publisher):
    a_lease = await begun(server.plan(stands()))
    await until(lambda: server.count("GetTask"))
    leases.states[a_lease] = LeaseState.CANCELLED
    await until(lambda: server.canceled == ["task-1"])
    assert publisher.events == []


async def test_work_out_of_time_is_cancelled_at_the_agent(server: A2AServer, outcome):
    report = await outcome(server.plan(stands()), policy={"attempt_timeout_s": 0.2})
    assert (report.code, server.canceled) == ("agent_timeout", ["task-1"])


# The card.


async def test_a_card_is_read_once_for_many_calls(server: A2AServer, outcome):
    for number in range(5):
        await outcome(server.plan(BLUE), message_id=f"m{number}")
    assert [call.path for call in server.calls].count("/agent/.well-known/agent-card.json") == 1


async def test_a_card_that_cannot_be_read_is_read_once_for_all_calls_that_wait(server: A2AServer, begun, publisher):
    """They would else wait one after the other, and those behind find their time used up."""
    server.spoilt["card"] = [says(b"", 500)] * 5
    for number in range(5):
        await begun(server.plan(BLUE), message_id=f"m{number}", policy={"max_calls": 1})
    await until(lambda: len(publisher.events) == 5)
    assert {event.code for event in publisher.events} == {"agent_card_unreadable"}
    assert [call.path for call in server.calls].count("/agent/.well-known/agent-card.json") == 1


async def test_a_card_that_one_key_may_not_read_is_read_by_another(server: A2AServer, begun, publisher, environ):
    environ |= {"SIGNOFF_AGENT_OLD": "old-key", "SIGNOFF_AGENT_NEW": "new-key"}
    server.spoilt["card"] = [says(b"", 401)]
    for name in ("OLD", "NEW"):
        headers = {"X-Key": f"env:SIGNOFF_AGENT_{name}"}
        await begun(server.plan(BLUE), message_id=name, headers=headers, policy={"max_calls": 1})
    await until(lambda: len(publisher.events) == 2)
    assert [getattr(event, "result", None) for event in publisher.events].count("blue") == 1


async def test_a_card_is_read_anew_once_a_message_was_refused(server: A2AServer, outcome):
    await outcome(server.plan(BLUE))
    server.errors["SendMessage"] = -32602
    assert (await outcome(server.url)).code == "agent_status"
    del server.errors["SendMessage"]
    await outcome(server.plan(BLUE))
    assert [call.path for call in server.calls].count("/agent/.well-known/agent-card.json") == 2


@pytest.mark.parametrize("suffix", ["/", "?x=1", "#x", "/.well-known/agent-card.json"])
async def test_a_card_is_below_the_agents_url(server: A2AServer, outcome, suffix):
    assert (await outcome(server.plan(BLUE) + suffix)).result == "blue"


async def test_the_first_interface_that_is_spoken_is_called(server: A2AServer, outcome):
    foreign = "http://127.0.0.1:9/elsewhere"
    others = [(server.url, "GRPC", "1.0"), (server.url, server.binding, "0.3"), (foreign, server.binding, "1.0")]
    server.offers(*others, ("/agent", server.binding, "1.0"))
    assert (await outcome(server.plan(BLUE))).result == "blue"


async def test_the_tenant_of_an_interface_is_named_in_each_request(server: A2AServer, outcome):
    server.offers((server.url, server.binding, "1.0"))
    server.card["supportedInterfaces"][0]["tenant"] = "a/../b"
    await outcome(server.plan(stands(), BLUE))
    if server.binding == "JSONRPC":
        assert {params["tenant"] for _, params in server.asked} == {"a/../b"}
    else:
        assert {call.path.split("/")[2] for call in server.calls[1:]} == {"a%2F..%2Fb"}


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{other}/",
        "http://localhost:{port}/agent",
        "https://127.0.0.1:{port}/agent",
        "http://user@127.0.0.2:{port}/",
        "file:///etc/passwd",
        "http://[",
        "//127.0.0.1:{other}/x",
    ],
)
async def test_no_key_goes_where_a_card_alone_says(server: A2AServer, outcome, environ, place):
    """A card that names another origin would have the agent's headers sent there."""
    environ["SIGNOFF_AGENT_KEY"] = "Bearer s3cret-key"
    headers = {"Authorization": "env:SIGNOFF_AGENT_KEY"}
    async with fault_agent() as other:
        server.offers((place.format(port=server.port, other=other.port), server.binding, "1.0"))
        report = await outcome(server.url, headers=headers)
        assert (report.code, other.calls) == ("agent_invalid_location", [])
    assert (server.count("SendMessage"), server.calls[0].headers["Authorization"]) == (0, "Bearer s3cret-key")


@pytest.mark.parametrize(
    ("interfaces", "fields"),
    [
        ([], {"protocolVersion": "0.3.0", "url": "http://127.0.0.1/", "preferredTransport": "JSONRPC"}),
        ([], {}),
        ([("/", "JSONRPC", "0.3")], {}),
        ([("/", "GRPC", "1.0")], {}),
        ([("/", "JSONRPC", "1.1")], {}),
        ([("/", "JSONRPC", "10.0")], {}),
    ],
)
async def test_a_card_of_another_version_has_a_code(server: A2AServer, outcome, interfaces, fields):
    server.offers(*interfaces, **fields)
    report = await outcome(server.url)
    assert (report.code, report.retryable, server.asked) == ("agent_protocol_version", False, [])


CARDS = {
    "404": says(b"", 404),
    "500": says(b"", 500),
    "302": says(b"", 302, Location="/agent"),
    "HTML": HTML,
    "a list": says(b"[]"),
    "no interfaces": says(b'{"supportedInterfaces": 1}'),
    "cut": says(b'{"supp', Content_Length=100),
    "100 MB": pours,
}


@pytest.mark.parametrize("script", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("delivery", Delivery)
async def test_a_card_that_cannot_be_read_may_be_readable_later(server: A2AServer, begun, publisher, script, delivery):
    """Nothing was sent: that holds for an agent that must not be called twice, too."""
    server.spoilt["card"] = [script]
    await begun(server.plan(BLUE), policy={"delivery": delivery, "max_calls": 2})
    await until(lambda: len(publisher.events) == 2)
    assert publisher.events[0].code in {"agent_card_unreadable", "agent_connection_lost"}
    assert publisher.events[1].result == "blue"


@pytest.mark.parametrize("code", [None, -32004, -32601])
async def test_what_a_card_says_is_read_within_bounds(server: A2AServer, client, code):
    skill = {"id": "paint", "name": "Paint\x00", "description": "x" * 300, "tags": ["sky" * 15] * 12}
    server.card |= {"description": "Knows the sky", "version": "7", "skills": [skill] * 80}
    server.errors |= {} if code is None else {"ListTasks": code}
    card = await A2AAgent(client, 0.1).read_card(Call(grant(url=server.url, protocol=Protocol.A2A, **IDS)))
    shown = {
        "id": "paint",
        "name": "Paint\N{REPLACEMENT CHARACTER}",
        "description": "x" * 200,
        "tags": [("sky" * 15)[:40]] * 10,
    }
    assert card == {
        "name": "Sky",
        "description": "Knows the sky",
        "version": "7",
        "url": server.url,
        "binding": server.binding,
        "lists_tasks": code is None,
        "skills": [shown] * 50,
    }


async def test_a_card_shows_no_secret_and_the_order_of_its_skills_is_ours(server: A2AServer, client, environ):
    environ["SIGNOFF_AGENT_KEY"] = "s3cret-value"
    skills = [{"id": "write", "description": "x" * 195 + "s3cret-value"}, {"id": "paint", "tags": ["s3cret-value"]}]
    server.card |= {"name": "s3cret-value", "version": "http://a:s3cret-value@b/", "skills": skills}
    headers = {"X-Key": "env:SIGNOFF_AGENT_KEY"}
    call = Call(grant(url=server.url, protocol=Protocol.A2A, headers=headers, **IDS))
    card = await A2AAgent(client, 0.1).read_card(call)
    assert (card["name"], card["skills"][0]["tags"]) == ("***", ["***"])
    assert [skill["id"] for skill in card["skills"]] == ["paint", "write"]
    assert "s3c" not in json.dumps(card)


async def test_a_card_in_a_network_that_is_not_allowed_is_not_read(outcome):
    assert (await outcome("http://169.254.169.254/")).code == "agent_address_forbidden"


# What goes wrong.

OLD = b'{"result": {"id": "1", "status": {"state": "working"}}, "id": "1", "status": {"state": "working"}}'

PASSING = {
    "500": says(b"", 500),
    "503": says(b"", 503, Retry_After=0),
    "429": says(b"", 429),
    "429 that says when": says(b"", 429, Retry_After=0),
    "closes": sends(b""),
    "no HTTP": sends(b"220 smtp.example.org\r\n\r\n"),
    "cut off": says(b'{"status": ', Content_Length=100),
    "hangs": hangs,
    "drips": drips,
}


@pytest.mark.parametrize("script", PASSING.values(), ids=PASSING)
async def test_a_poll_that_fails_is_waited_out(server: A2AServer, outcome, script):
    server.spoilt["GetTask"] = [script, script]
    produced = await outcome(server.plan(BLUE), policy={"heartbeat_timeout_s": 1.5})
    assert (produced.result, server.count("SendMessage")) == ("blue", 1)


@pytest.mark.parametrize("script", PASSING.values(), ids=PASSING)
async def test_silence_ends_the_work_and_has_a_code(server: A2AServer, outcome, script):
    server.spoilt["GetTask"] = script
    report = await outcome(server.plan(stands()), policy={"heartbeat_timeout_s": 0.2})
    assert (report.code, report.retryable) == ("agent_heartbeat_timeout", True)
    assert report.message.startswith("no heartbeat within 0.2 s of the task task-1 at http://127.0.0.1")
    await until(lambda: server.canceled)


async def test_an_error_of_the_server_itself_is_waited_out(server: A2AServer, outcome):
    server.errors["GetTask"] = -32603
    report = await outcome(server.plan(stands()), policy={"heartbeat_timeout_s": 0.2})
    assert (report.code, "so it says" in report.message) == ("agent_heartbeat_timeout", True)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (hangs, "agent_timeout"),
        (drips, "agent_timeout"),
        (sends(b""), "agent_connection_lost"),
        (says(b"{", Content_Length=9), "agent_connection_lost"),
        (says(b"", 429, Retry_After=1), "agent_status"),
        (says(b"", 500), "agent_status"),
        (says(b"", 401), "agent_status"),
        (says(b"", 302, Location="/"), "agent_redirect"),
        (HTML, "agent_invalid_json"),
        (pours, "result_too_large"),
        (says(b"[]"), "agent_invalid_status"),
        (says(b"{}"), "agent_invalid_status"),
        (says(b'{"jsonrpc": "2.0", "result": null}'), "agent_invalid_status"),
        (says(b'{"result": {"kind": "task", "id": "1"}, "kind": "task"}'), "agent_protocol_version"),
    ],
)
async def test_each_way_in_which_a_message_fails_has_a_code(server: A2AServer, outcome, script, code):
    server.spoilt["SendMessage"] = script
    report = await outcome(server.url, policy={"attempt_timeout_s": 0.5})
    assert report.code == code


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (HTML, "agent_invalid_json"),
        (pours, "result_too_large"),
        (says(b"", 401), "agent_status"),
        (says(b'{"result": {"kind": "task"}, "kind": "task"}'), "agent_protocol_version"),
        (says(OLD), "agent_protocol_version"),
    ],
)
async def test_nonsense_ends_the_work(server: A2AServer, outcome, script, code):
    server.spoilt["GetTask"] = script
    report = await outcome(server.plan(stands()))
    assert (report.code, report.retryable) == (code, False)
    await until(lambda: server.canceled)


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (-32009, "agent_protocol_version", False),
        (-32602, "agent_status", False),
        (-32603, "agent_status", True),
        (-32004, "agent_status", False),
    ],
)
async def test_an_error_has_a_code_whatever_its_status_is(server: A2AServer, outcome, error, code, retryable):
    server.errors["SendMessage"] = error
    report = await outcome(server.url)
    assert (report.code, report.retryable) == (code, retryable)
    assert "so it says" in report.message


@pytest.mark.parametrize(
    "error",
    [
        {"code": [], "data": [{"reason": {}}, 1, None]},
        {"code": {}, "message": {"a": 1}, "details": [{"reason": []}]},
        {"code": None, "data": "x"},
        {"code": "-32001", "details": {"reason": 1}},
        {"code": 1e300},
        {},
    ],
    ids=range(6),
)
async def test_an_error_that_is_none_is_one_of_the_agent(server: A2AServer, outcome, error):
    server.spoilt["SendMessage"] = says(json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode())
    report = await outcome(server.url)
    assert (report.code, report.retryable) == ("agent_status", False)


async def test_work_that_was_left_is_cancelled_by_its_message_or_its_handle(server: A2AServer, client):
    agent, left = A2AAgent(client, 0.1), Call(grant(url=server.url, protocol=Protocol.A2A, attempt=2, **IDS))
    work = await agent.send(left)
    assert isinstance(work, Work)
    await agent.stop_work(left)
    assert server.canceled == ["task-1"]
    await agent.stop_work(left)  # it has ended
    server.tasks.clear()
    await agent.stop_work(replace(left, handle="task-1"))  # nobody knows it any more
    assert server.canceled == ["task-1"]


async def test_a_server_of_0_3_behind_a_card_of_1_0_is_told(outcome):
    async with a2a_server("JSONRPC") as server:
        server.errors["SendMessage"] = -32601
        assert (await outcome(server.url)).code == "agent_protocol_version"


@pytest.mark.parametrize("task_id", ["", "..", "a\x00b", "x" * 2_000, 7])
async def test_an_id_that_is_none_is_not_used(server: A2AServer, outcome, task_id):
    result = {"task": {"id": task_id, "status": {"state": "TASK_STATE_WORKING"}}}
    answer = {"jsonrpc": "2.0", "id": 1, "result": result} if server.binding == "JSONRPC" else result
    server.spoilt["SendMessage"] = says(json.dumps(answer).encode())
    report = await outcome(server.url)
    assert (report.code, server.count("GetTask")) == ("agent_invalid_status", 0)


@pytest.mark.parametrize("task_id", ["a/b", "../x?y=1#z", "a b:c%2F", "ä"])
async def test_an_id_stays_one_part_of_a_path(outcome, task_id):
    async with a2a_server("HTTP+JSON") as server:
        result = {"task": {"id": task_id, "status": {"state": "TASK_STATE_WORKING"}}}
        server.spoilt["SendMessage"] = says(json.dumps(result).encode())
        await outcome(server.url, policy={"attempt_timeout_s": 0.3})
        assert {params["id"] for name, params in server.asked if name != "SendMessage"} == {task_id}
        assert {name for name, _ in server.asked} == {"SendMessage", "GetTask"}


async def test_secrets_in_its_words_are_hidden(server: A2AServer, outcome, environ, publisher):
    environ["SIGNOFF_AGENT_KEY"] = "Bearer s3cret-key"
    url = server.plan(stands(words="I was told s3cret-key"), stands("FAILED", "s3cret-key is wrong"))
    report = await outcome(url, headers={"Authorization": "env:SIGNOFF_AGENT_KEY"})
    assert "s3cret" not in report.message
    assert [event.message for event in progress(publisher) if event.message] == ["I was told ***"]
    assert all(call.headers["Authorization"] == "Bearer s3cret-key" for call in server.calls)


async def test_a_result_that_cannot_be_stored_has_a_code(server: A2AServer, outcome):
    report = await outcome(server.plan(stands("COMPLETED", None, {"text": "x" * 100_000})))
    assert (report.code, report.retryable) == ("result_too_large", False)


async def test_usage_that_a_server_reports_counts(server: A2AServer, outcome):
    task = {"id": "1", **BLUE}
    answer = {"jsonrpc": "2.0", "id": 1, "result": task} if server.binding == "JSONRPC" else task
    server.spoilt["GetTask"] = says(json.dumps(answer).encode(), Signoff_Usage='{"input_tokens": 5}')
    produced = await outcome(server.url)
    assert isinstance(produced, ResultProduced)
    assert produced.usage.input_tokens == 5
