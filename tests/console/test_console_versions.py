"""Versions at each write over REST, on a real jobstore: what a stale one changes, and what two change at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from support.real_console import RealConsole

from contracts.judging.policy import JudgePolicy

AGENT = {"name": "Versioned", "url": "http://127.0.0.1:1/"}
POLICY = json.loads(JudgePolicy(name="any").model_dump_json(exclude={"name", "version"}))
CASES = "\n".join(
    json.dumps({"id": str(label), "acceptance_criteria": "Is blue", "result": f"blue {label}", "label": label})
    for label in (True, False)
)
#: Each write of what has a version, the address at which it is read, and a body.
VERSIONED: dict[tuple[str, str], tuple[str, Any]] = {
    ("PATCH", "/api/jobs/{job_id}"): ("/api/jobs/{job_id}", {"title": "Another"}),
    ("POST", "/api/jobs/{job_id}/assign"): ("/api/jobs/{job_id}", {"agent_id": "writer"}),
    ("POST", "/api/jobs/{job_id}/execute"): ("/api/jobs/{job_id}", {}),
    ("POST", "/api/jobs/{job_id}/cancel"): ("/api/jobs/{job_id}", {}),
    ("POST", "/api/jobs/{job_id}/resubmit"): ("/api/jobs/{job_id}", {}),
    ("PUT", "/api/agents/{agent_id}"): ("/api/agents/{agent_id}", AGENT),
    ("PATCH", "/api/agents/{agent_id}"): ("/api/agents/{agent_id}", {"name": "Another"}),
    ("POST", "/api/agents/{agent_id}/pause"): ("/api/agents/{agent_id}", None),
    ("POST", "/api/agents/{agent_id}/resume"): ("/api/agents/{agent_id}", None),
    ("POST", "/api/agents/{agent_id}/disable"): ("/api/agents/{agent_id}", None),
    ("PUT", "/api/limits/{name}"): ("/api/limits/{name}", {"rate": 9}),
    ("PATCH", "/api/limits/{name}"): ("/api/limits/{name}", {"rate": 8}),
    ("POST", "/api/tenants/{tenant}/pause"): ("/api/limits/{name}", None),
    ("POST", "/api/tenants/{tenant}/resume"): ("/api/limits/{name}", None),
    ("DELETE", "/api/limits/{name}"): ("/api/limits/{name}", None),
    ("PUT", "/api/retentions/{name}"): ("/api/retentions/{name}", {"completed_s": 86_400}),
    ("PATCH", "/api/retentions/{name}"): ("/api/retentions/{name}", {"failed_s": 86_400}),
    ("DELETE", "/api/retentions/{name}"): ("/api/retentions/{name}", None),
    ("PUT", "/api/judges/{name}"): ("/api/judges/{name}", {"policy": {"name": "{id}", **POLICY, "asks": "each"}}),
    ("POST", "/api/judges/{name}/promote"): ("/api/judges/{name}", {"version": 1}),
    ("PUT", "/api/judges/{name}/golden-set"): ("/api/judges/{name}/golden-set", {"cases_jsonl": CASES, "flips_max": 1}),
    ("POST", "/api/judges/{name}/golden-set/retire"): ("/api/judges/{name}/golden-set", None),
    ("POST", "/api/judges/{name}/retire"): ("/api/judges/{name}", None),
    ("PUT", "/api/criteria-sets/{name}"): ("/api/criteria-sets/{name}", {"criteria": [{"text": "Is red"}]}),
    ("POST", "/api/criteria-sets/{name}/retire"): ("/api/criteria-sets/{name}", None),
}
#: Those whose resource has no version, and why.
_MADE = "it makes something new"
_MOVED = "an operation has a state, and each move names the state that it leads to"
_NOTHING = "it changes nothing"
UNVERSIONED = {
    ("POST", "/api/jobs"): _MADE,
    ("POST", "/api/agents/{agent_id}/tries"): _MADE,
    ("PUT", "/api/inbox"): "each caller has one of its own, whose groups are named one by one",
    ("POST", "/api/batches"): _MADE,
    ("POST", "/api/batches/{operation_id}/pause"): _MOVED,
    ("POST", "/api/batches/{operation_id}/resume"): _MOVED,
    ("POST", "/api/batches/{operation_id}/cancel"): _MOVED,
    ("POST", "/api/batches/{operation_id}/retry"): _MADE,
    ("POST", "/api/operations"): _MADE,
    ("POST", "/api/operations/preview"): _NOTHING,
    ("POST", "/api/retentions/preview"): _NOTHING,
    ("PUT", "/api/jobs/{job_id}/hold"): "a job is held once, by whoever was first",
    ("DELETE", "/api/jobs/{job_id}/hold"): "a job that is held is released once",
    ("POST", "/api/operations/{operation_id}/pause"): _MOVED,
    ("POST", "/api/operations/{operation_id}/resume"): _MOVED,
    ("POST", "/api/operations/{operation_id}/cancel"): _MOVED,
    ("POST", "/api/operations/{operation_id}/retry"): _MADE,
    ("POST", "/api/judgings"): _MADE,
    ("POST", "/api/agents"): _MADE,
    ("POST", "/api/limits/confirm"): "it says something of all limits, and changes none",
    ("POST", "/api/dead-letters/resolve"): "a letter is done once, and is not chosen again",
    ("POST", "/api/executions/{execution_id}/cancel"): "an execution is asked for once, and cancelled once",
    ("POST", "/api/criteria/lint"): _NOTHING,
    ("POST", "/api/tenants"): "a name is registered once",
    ("POST", "/api/tokens"): _MADE,
    ("POST", "/api/tokens/{name}/rotate"): _MADE,
    ("DELETE", "/api/tokens/{name}"): "a token is never changed, and ends once",
    ("DELETE", "/api/sessions/{session_id}"): "a session is never changed, and ends once",
}
CONFLICTS = {"version_conflict", "judge_policy_conflict", "criteria_set_conflict", "golden_set_conflict"}


@pytest.fixture
async def web(real: RealConsole) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(real.url, headers={**real.headers, "Accept-Encoding": "identity"}) as session:
        yield session


@pytest.fixture
async def name(web: aiohttp.ClientSession) -> str:
    """The name of one of each resource that has a version."""
    name = f"v-{uuid4().hex}"
    job = {"id": name, "title": "A title", "acceptance_criteria": "x", "agent_id": name}
    for method, url, body in (
        ("POST", "/api/tenants", {"name": name}),
        ("POST", "/api/agents", {"id": name, **AGENT}),
        ("POST", "/api/jobs", job),
        ("PUT", f"/api/limits/tenant:{name}", {"concurrency": 1}),
        ("PUT", f"/api/retentions/tenant:{name}", {"rejected_s": 86_400}),
        ("PUT", f"/api/judges/{name}", {"policy": {"name": name, **POLICY}}),
        ("PUT", f"/api/judges/{name}/golden-set", {"cases_jsonl": CASES}),
        ("PUT", f"/api/criteria-sets/{name}", {"criteria": [{"text": "Is blue"}]}),
    ):
        async with web.request(method, url, json=body) as answer:
            assert answer.status < 300, await answer.text()
    return name


def place(path: str, name: str) -> str:
    limit = f"tenant:{name}" if path.startswith(("/api/limits", "/api/retentions")) else name
    return path.format(job_id=name, agent_id=name, tenant=name, name=limit)


async def test_each_write_of_what_has_a_version_refuses_a_stale_one(web: aiohttp.ClientSession, name: str) -> None:
    async with web.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    writes = {(method.upper(), path) for path, of in paths.items() for method in of if method not in {"get", "head"}}
    assert writes <= VERSIONED.keys() | UNVERSIONED.keys(), "say at which address it is read, or why it has no version"
    for (method, path), (read, template) in VERSIONED.items():
        body = json.loads(json.dumps(template).replace("{id}", name))
        async with web.get(place(read, name)) as answer:
            before, tag = await answer.text(), answer.headers["ETag"]
        assert tag not in {'"99"', ""}, path
        async with web.request(method, place(path, name), json=body, headers={"If-Match": '"99"'}) as answer:
            refusal = await answer.json()
        assert (answer.status, refusal.get("code") in CONFLICTS) == (412, True), (method, path, refusal)
        async with web.get(place(read, name)) as answer:
            assert await answer.text() == before, (method, path)
        async with web.request(method, place(path, name), json=body, headers={"If-Match": tag}) as answer:
            text = await answer.text()
        if path == "/api/jobs/{job_id}/resubmit":  # there is no verdict
            assert (answer.status, json.loads(text)["code"]) == (409, "illegal_transition")
            continue
        assert answer.status < 300, (method, path, text)
        if method in {"PUT", "PATCH"}:
            async with web.get(place(read, name)) as again:
                assert again.headers["ETag"] == answer.headers["ETag"] != tag, (method, path)


@pytest.mark.parametrize(
    ("url", "one", "other"),
    [
        ("/api/agents/{agent_id}", {"name": "At once"}, {"policy": {"max_calls": 4}}),
        ("/api/agents/{agent_id}", {"policy": {"judge": "strict"}}, {"policy": {"deadline_s": 9.0}}),
        ("/api/agents/{agent_id}", {"headers": {"X-One": "file:a"}}, {"headers": {"X-Other": "file:b"}}),
        ("/api/limits/{name}", {"rate": 5}, {"queue_max": 7}),
        ("/api/jobs/{job_id}", {"labels": {"one": "1"}}, {"labels": {"other": "2"}, "policy": {"max_calls": 3}}),
    ],
)
async def test_of_two_who_change_something_else_at_once_both_are_heard(
    web: aiohttp.ClientSession, name: str, url: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    url = place(url, name)

    async def change(patch: dict[str, Any]) -> None:
        body, media_type = json.dumps(patch), "application/merge-patch+json"
        async with web.patch(url, data=body, headers={"Content-Type": media_type}) as answer:
            assert answer.status == 200, await answer.text()

    if "strict" in str(one):
        async with web.put("/api/judges/strict", json={"policy": {"name": "strict", **POLICY}}) as answer:
            assert answer.status == 200
    await asyncio.gather(change(one), change(other))
    async with web.get(url) as answer:
        shown = await answer.json()
    for patch in (one, other):
        for field, value in patch.items():
            is_there = value.items() <= shown[field].items() if isinstance(value, dict) else value == shown[field]
            assert is_there, (field, shown[field])


async def test_null_removes_and_what_is_not_given_stays(web: aiohttp.ClientSession, name: str) -> None:
    url = f"/api/jobs/{name}"
    new = {"labels": {"team": "red", "kind": "poem"}, "policy": {"max_calls": 2, "deadline_s": 60}, "payload": {"a": 1}}
    async with web.patch(url, json=new) as answer:
        assert answer.status == 200
    change = {"labels": {"team": None}, "policy": {"deadline_s": None, "max_submissions": 3}, "payload": {"b": None}}
    async with web.patch(url, json=change) as answer:
        job = await answer.json()
    assert (job["labels"]["kind"], "team" in job["labels"], job["payload"]) == ("poem", False, {"b": None})
    assert job["policy"].items() >= {"max_calls": 2, "max_submissions": 3}.items()
    assert "deadline_s" not in job["policy"]
    async with web.patch(url, json={"labels": None, "policy": None, "description": None}) as answer:
        job = await answer.json()
    assert (job["labels"], job["policy"]) == ({}, {})
    for wrong, pointer in (
        ({"title": None}, "#/title"),
        ({"policy": {"max_call": 1}}, "#/policy/max_call"),
        ({"labels": {"a": 1}}, "#/labels/a"),
    ):
        async with web.patch(url, json=wrong) as answer:
            problem = await answer.json()
        assert (answer.status, problem["errors"][0]["pointer"]) == (422, pointer)


async def test_pausing_an_agent_is_a_change_of_it(web: aiohttp.ClientSession, name: str) -> None:
    url = f"/api/agents/{name}"
    async with web.get(url) as answer:
        tag = answer.headers["ETag"]
    async with web.post(f"{url}/pause", headers={"If-Match": tag}) as answer:
        assert ((await answer.json())["paused"], answer.headers["ETag"] != tag) == (True, True)
    async with web.get(url, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, (await answer.json())["paused"]) == (200, True)
    async with web.post(f"{url}/resume", headers={"If-Match": tag}) as answer:
        assert answer.status == 412
    async with web.post(f"{url}/resume") as answer:
        assert (await answer.json())["paused"] is False
