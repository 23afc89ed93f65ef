"""Requests to an agent are signed as Standard Webhooks are; `standardwebhooks` made those of these tests."""

import base64
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from signoff_agent import Task, agent
from signoff_agent.signing import parse_secrets
from signoff_agent.testing import AgentClient

FIRST, SECOND, OTHER = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in range(3))
BODY = b'{"title":"A poem"}'


@agent(secrets=[FIRST, SECOND])
async def poet(task: Task):
    return task.title


def signed(secret: str, message_id: str, body: bytes = BODY, *, at: float | None = None) -> dict[str, str]:
    """The headers of a request, signed by a library that is not ours."""
    at = time.time() if at is None else at
    signature = Webhook(secret).sign(message_id, datetime.fromtimestamp(int(at), UTC), body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at)), "webhook-signature": signature}


@pytest.fixture
async def client():
    async with AgentClient(poet) as client:
        yield client


async def post(client: AgentClient, headers: dict[str, str], key: str = "k", body: bytes = BODY):
    return await client.send("POST", "", body, {"idempotency-key": key, **headers})


@pytest.mark.parametrize("secret", [FIRST, SECOND])
async def test_either_secret_signs_each_method(client, secret):
    location = (await post(client, signed(secret, "k"))).headers["location"]
    for name in ("k_get", "k_get_0123456789abcdef"):
        assert (await client.send("GET", location, b"", signed(secret, name, b""))).status == 200
    assert (await client.send("DELETE", location, b"", signed(secret, "k_delete", b""))).status in {200, 202}


async def test_signatures_by_several_secrets_stand_side_by_side(client):
    headers = signed(OTHER, "k")
    headers["webhook-signature"] += " v2,x " + signed(SECOND, "k")["webhook-signature"]
    assert (await post(client, headers)).status == 202


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_signature_is_of_one_method_and_one_key(client, method):
    location = (await post(client, signed(FIRST, "k"))).headers["location"]
    for name in ("k", "other_get", "other_delete", "k_delete" if method == "GET" else "k_get_00"):
        assert (await client.send(method, location, b"", signed(FIRST, name, b""))).status == 401


async def test_a_recorded_request_finds_the_work_that_it_began(client):
    headers = signed(FIRST, "k")
    first, again = await post(client, headers), await post(client, headers)
    assert first.headers["location"] == again.headers["location"]
    assert (await post(client, headers, key="another")).status == 401


WRONG = {
    "none": {},
    "another secret": signed(OTHER, "k"),
    "another body": signed(FIRST, "k", b"{}"),
    "old": signed(FIRST, "k", at=time.time() - 1_000),
    "of the future": signed(FIRST, "k", at=time.time() + 100_000),
    "no signature": signed(FIRST, "k") | {"webhook-signature": ""},
    "no comma": signed(FIRST, "k") | {"webhook-signature": "v1"},
    "not ASCII": signed(FIRST, "k") | {"webhook-signature": "v1,ö"},
    "no time": signed(FIRST, "k") | {"webhook-timestamp": "now"},
    "a time of digits that are none": signed(FIRST, "k") | {"webhook-timestamp": "²"},
    "no id": signed(FIRST, "k") | {"webhook-id": ""},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
async def test_what_is_not_signed_is_refused(client, headers):
    answer = await post(client, headers)
    assert answer.status == 401
    assert FIRST.removeprefix("whsec_") not in str(answer)


@pytest.mark.parametrize("secrets", ["", " ", "whsec_", "short", "x" * 45, base64.b64encode(b"a" * 65).decode(), []])
async def test_an_agent_does_not_begin_with_a_secret_that_is_none(monkeypatch, secrets, tmp_path):
    with pytest.raises(ValueError, match="a signing secret is"):
        parse_secrets(secrets)
    if isinstance(secrets, str):
        monkeypatch.setenv("SIGNOFF_AGENT_SIGNING", secrets)
        with pytest.raises(ValueError, match="a signing secret is"):
            await agent(store=tmp_path / "work")(poet.function).open()


async def test_secrets_of_the_environment_count(monkeypatch):
    monkeypatch.setenv("SIGNOFF_AGENT_SIGNING", f"{FIRST} {SECOND}")
    async with AgentClient(agent(poet.function)) as client:
        assert (await post(client, {})).status == 401
    async with AgentClient(agent(poet.function), secret=SECOND) as client:
        assert (await client.post({"title": "x"})).status == 202
