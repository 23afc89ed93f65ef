"""Calls of an agent with `signing` are signed as Standard Webhooks are, and a library that is not ours accepts them."""

import base64
import os

import pytest
from async_agent import AsyncAgent, status
from fault_agent import Call, says
from standardwebhooks import Webhook, WebhookVerificationError
from support.fakes import until

from contracts.events import ResultProduced
from executor.signing import parse_secrets
from signoff.status import Delivery, ReportKind
from signoff.status import Protocol as AgentProtocol

DONE = status("succeeded", result="blue")


def secret(size: int = 32) -> str:
    return base64.b64encode(os.urandom(size)).decode()


OLD, NEW, OTHER = (secret() for _ in range(3))
BY_ENV = "env:SIGNOFF_AGENT_SIGNING"


@pytest.fixture
def environ():
    return {"SIGNOFF_AGENT_SIGNING": f"whsec_{OLD} {NEW}", "SIGNOFF_AGENT_X": "a value"}


def is_signed(call: Call, by: str) -> bool:
    """Return whether the library finds the call signed by a secret."""
    try:
        Webhook(by).verify(call.body, call.headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


async def test_a_call_is_signed_by_both_secrets_and_by_no_other(agent, outcome):
    produced = await outcome(agent.does(says(b"1")), signing=BY_ENV)
    assert isinstance(produced, ResultProduced)
    (call,) = agent.calls
    assert [is_signed(call, each) for each in (OLD, f"whsec_{NEW}", OTHER)] == [True, True, False]
    assert call.headers["webhook-id"] == call.headers["Idempotency-Key"]
    assert len(call.headers["webhook-signature"].split(" ")) == 2


async def test_a_body_that_was_changed_on_its_way_is_not_signed(agent, outcome):
    await outcome(agent.does(says(b"1")), signing=BY_ENV)
    (call,) = agent.calls
    assert not is_signed(Call(call.method, call.path, call.headers, call.body + b" "), OLD)


async def test_a_retry_has_the_same_id_and_a_signature_of_its_own(agent, outcome, publisher):
    statuses = iter([says(b"", 503), says(b"1")])

    async def answers(writer):
        await next(statuses)(writer)

    await outcome(agent.does(answers), signing=BY_ENV, policy={"max_calls": 2})
    await until(lambda: isinstance(publisher.events[-1], ResultProduced))
    first, second = agent.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert all(is_signed(call, NEW) for call in agent.calls)


async def test_polls_and_stops_are_signed_and_named_by_their_method(agent, outcome):
    working = AsyncAgent(agent)
    await outcome(working.takes(status(), says(b"who?", 403)), protocol=AgentProtocol.HTTP_ASYNC, signing=BY_ENV)
    await until(lambda: working.stops)
    assert [call.method for call in agent.calls] == ["POST", "GET", "GET", "DELETE"]
    assert all(is_signed(call, OLD) and is_signed(call, NEW) for call in agent.calls)
    key, first, second, stop = (call.headers["webhook-id"] for call in agent.calls)
    assert first != second  # each poll is a message of its own: who remembers ids takes it for no replay
    assert first.startswith(f"{key}_get_")
    assert stop == f"{key}_delete"


async def test_secrets_rotate_without_a_restart(agent, outcome, header_dir):
    file = header_dir / "writer"
    file.write_text(f"{OLD}\n")
    working = AsyncAgent(agent)

    async def rotates(writer):
        file.write_text(f"{NEW} {OLD}\n")
        await status()(writer)

    async def ends(writer):
        file.write_text(NEW)
        await status()(writer)

    url = working.takes(rotates, ends, DONE)
    assert isinstance(await outcome(url, protocol=AgentProtocol.HTTP_ASYNC, signing="file:writer"), ResultProduced)
    signed = [(is_signed(call, OLD), is_signed(call, NEW)) for call in agent.calls]
    assert signed == [(True, False), (True, False), (True, True), (False, True)]


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize(
    "value", [None, "s3cret-that-is-no-base64!", base64.b64encode(b"x" * 23).decode(), f"{OLD} {NEW} {OTHER}", "whsec_"]
)
async def test_what_cannot_be_signed_is_not_sent(agent, outcome, environ, caplog, value, delivery):
    environ.pop("SIGNOFF_AGENT_SIGNING")
    if value is not None:
        environ["SIGNOFF_AGENT_SIGNING"] = value
    policy = {"delivery": delivery, "max_calls": 2}
    report = await outcome(agent.does(says(b"1")), signing=BY_ENV, policy=policy)
    assert (report.kind, report.code, report.retryable) == (ReportKind.CALL_FAILED, "agent_header_unresolved", True)
    assert report.message.startswith("the call cannot be signed: ")
    assert "SIGNOFF_AGENT_SIGNING" in report.message
    assert value in {None, "whsec_"} or value not in report.message + caplog.text
    assert agent.calls == []


async def test_only_variables_of_agents_hold_secrets(agent, outcome, environ):
    environ["SIGNOFF_EXECUTOR_TOKEN"] = OLD
    report = await outcome(agent.does(says(b"1")), signing="env:SIGNOFF_EXECUTOR_TOKEN")
    assert (report.code, agent.calls) == ("agent_header_unresolved", [])


async def test_a_header_of_the_agent_does_not_replace_a_signature(agent, outcome):
    headers = dict.fromkeys(["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"], "env:SIGNOFF_AGENT_X")
    await outcome(agent.does(says(b"1")), signing=BY_ENV, headers=headers)
    (call,) = agent.calls
    assert [name for name in call.headers if name.lower().startswith("webhook-")] == [
        "webhook-id", "webhook-timestamp", "webhook-signature",
    ]  # fmt: skip
    assert is_signed(call, OLD)


async def test_an_agent_without_signing_is_sent_its_headers_as_they_are(agent, outcome):
    await outcome(agent.does(says(b"1")), headers={"Webhook-Id": "env:SIGNOFF_AGENT_X"})
    (call,) = agent.calls
    assert call.headers["Webhook-Id"] == "a value"
    assert "webhook-signature" not in call.headers


async def test_no_message_has_a_secret_that_an_agent_has_got_hold_of(agent, outcome, caplog):
    report = await outcome(agent.does(says(f"I know {OLD} and whsec_{NEW}".encode(), 401)), signing=BY_ENV)
    assert "***" in report.message
    assert all(each not in report.message + caplog.text for each in (OLD, NEW))


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_have_the_sizes_of_the_specification_with_padding_or_without(size):
    for text in (f"whsec_{secret(size)}", secret(size).rstrip("=")):
        (parsed,) = parse_secrets(text)
        assert len(parsed.key) == size
