"""Who one is, tokens and sessions over REST; and each operation needs the roles of the calls that it makes."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from support.jobstore.registered import register_tenants

from console.api import audit, identity, jobs, judging, operations, receipts, system
from console.api.access import find_access
from console.describe import describe
from contracts.access import ACCESS, Of
from contracts.tokens import is_token
from signoff import AsyncClient
from signoff.connection import _METHODS
from signoff.status import Role


@pytest.fixture
async def http(real):
    async with aiohttp.ClientSession(real.url, headers=real.headers) as session:
        await register_tenants(real.runner, "press", "radio", "film")
        yield session


async def ask(http, method, path, body=None, *, token=None, status=200) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with http.request(method, path, json=body, headers=headers) as answer:
        told = await answer.text()
        assert answer.status == status, told
        return json.loads(told) if told else None


async def make_token(http, name, role="viewer", **fields) -> str:
    made = await ask(http, "POST", "/api/tokens", {"name": name, "role": role, **(fields or {"all_tenants": True})})
    return made["secret"]


async def test_the_caller_is_told_who_it_is_and_what_it_may(http):
    me = await ask(http, "GET", "/api/me")
    assert (me["name"], me["actor"], me["role"], me["all_tenants"]) == (
        *("bootstrap", "token:bootstrap", "administrator"),
        True,
    )
    assert {"create_token", "confirm_limits", "pause_batch"} <= set(me["may"])
    viewer = await ask(http, "GET", "/api/me", token=await make_token(http, "me-1", tenants=["press"]))
    assert (viewer["role"], viewer["tenants"]) == ("viewer", ["press"])
    assert {"list_jobs", "watch_jobs", "get_caller", "list_sessions"} <= set(viewer["may"])
    assert not {"create_job", "pause_batch", "list_tokens", "list_dead_letters"} & set(viewer["may"])


async def test_a_worker_is_told_who_it_is(http):
    me = await ask(http, "GET", "/api/me", token=await make_token(http, "me-2", "executor"))
    assert me["may"] == ["get_caller", "get_health", "list_receipt_keys"]


async def test_a_token_is_made_listed_rotated_and_revoked(http):
    made = await ask(http, "POST", "/api/tokens", {"name": "ci", "role": "operator", "tenants": ["press"]})
    assert is_token(made["secret"])
    assert (made["token"]["name"], made["token"]["hint"]) == ("ci", made["secret"][:8])
    again = {"name": "ci", "role": "operator", "all_tenants": True}
    assert (await ask(http, "POST", "/api/tokens", again, status=409))["code"] == "token_conflict"
    listed = await ask(http, "GET", "/api/tokens")
    assert made["secret"] not in json.dumps(listed)
    assert [each["tenants"] for each in listed["items"] if each["name"] == "ci"] == [["press"]]
    rotated = await ask(http, "POST", "/api/tokens/ci/rotate", {"overlap_s": 0})
    await ask(http, "GET", "/api/me", token=made["secret"], status=401)
    await ask(http, "GET", "/api/me", token=rotated["secret"])
    await ask(http, "DELETE", "/api/tokens/ci", status=204)
    await ask(http, "GET", "/api/me", token=rotated["secret"], status=401)
    assert (await ask(http, "DELETE", "/api/tokens/ci", status=404))["code"] == "unknown_token"
    ended = (await ask(http, "GET", "/api/tokens?include_ended=true"))["items"]
    assert len([each for each in ended if each["name"] == "ci" and "revoked_at" in each]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Eve", "role": "viewer", "all_tenants": True},
        {"name": "eve", "role": "king", "all_tenants": True},
        {"name": "eve", "role": "viewer"},
        {"name": "eve", "role": "viewer", "tenants": ["Press!"]},
        {"name": "eve", "role": "viewer", "all_tenants": True, "tenants": ["press"]},
        {"name": "eve", "role": "viewer", "all_tenants": True, "lasts_s": 0},
        {"name": "eve", "role": "viewer", "all_tenants": True, "secret": "mine"},
    ],
)
async def test_a_token_that_is_not_well_formed_is_refused(http, body):
    assert (await ask(http, "POST", "/api/tokens", body, status=422))["errors"]


async def test_a_role_that_may_not_is_told_which_may(http):
    viewer = await make_token(http, "weak")
    for method, path, body in (
        ("POST", "/api/tokens", {"name": "x", "role": "viewer", "all_tenants": True}),
        ("GET", "/api/tokens", None),
        ("DELETE", "/api/tokens/weak", None),
    ):
        refused = await ask(http, method, path, body, token=viewer, status=403)
        assert refused["code"] == "forbidden"
        assert "administrator" in refused["detail"]


async def test_nobody_gives_what_they_do_not_have(http):
    ours = await make_token(http, "ours", "administrator", tenants=["press"])
    for fields in ({"all_tenants": True}, {"tenants": ["press", "film"]}):
        refused = await ask(
            http, "POST", "/api/tokens", {"name": "more", "role": "viewer", **fields}, token=ours, status=403
        )
        assert refused["code"] == "forbidden"
    theirs = {"name": "theirs", "role": "viewer", "tenants": ["film"]}
    await ask(http, "POST", "/api/tokens", theirs)
    listed = {each["name"] for each in (await ask(http, "GET", "/api/tokens", token=ours))["items"]}
    assert "ours" in listed
    assert "theirs" not in listed
    foreign = await ask(http, "DELETE", "/api/tokens/theirs", token=ours, status=404)
    absent = await ask(http, "DELETE", "/api/tokens/theirz", token=ours, status=404)
    assert foreign["detail"].replace("theirs", "theirz") == absent["detail"]


async def test_sessions_are_listed_and_ended_by_their_id(http, real):
    begun = await real.client.with_token(await make_token(http, "eva")).create_session("cli")
    mine = await ask(http, "GET", "/api/sessions", token=begun.secret)
    assert [(each["id"], each["client"]) for each in mine["items"]] == [(begun.session.id, "cli")]
    me = await ask(http, "GET", "/api/me", token=begun.secret)
    assert me["session_id"] == begun.session.id
    await ask(http, "DELETE", f"/api/sessions/{begun.session.id}", token=begun.secret, status=204)
    await ask(http, "GET", "/api/me", token=begun.secret, status=401)
    gone = await ask(http, "DELETE", f"/api/sessions/{begun.session.id}", status=404)
    assert gone["code"] == "unknown_session"


async def test_another_persons_session_is_as_none(http, real):
    begun = await real.client.with_token(await make_token(http, "ida")).create_session("cli")
    other = await make_token(http, "ivo")
    await ask(http, "DELETE", f"/api/sessions/{begun.session.id}", token=other, status=404)
    assert (await ask(http, "GET", "/api/sessions", token=other))["items"] == []
    await ask(http, "GET", "/api/me", token=begun.secret)


@pytest.fixture(scope="module")
async def described() -> dict[str, Any]:
    paths = json.loads(await describe())["paths"]
    return {each["operationId"]: each for methods in paths.values() for each in methods.values()}


def test_an_operation_is_no_looser_than_its_calls(described):
    known = {method.rpartition("/")[2]: access for method, access in ACCESS.items()}
    for name, operation in described.items():
        assert ("x-calls" in operation) == (operation["security"] != []), name
        for call in operation.get("x-calls", ()):
            assert set(operation["x-roles"]) <= {role.value for role in known[call].roles}, name
            assert operation["x-all-tenants"] >= (known[call].of is Of.ALL), name


def test_some_role_may_ask_for_each_operation(described):
    assert all(Role.ADMINISTRATOR in find_access(name).roles for name in described)


def calls_of(client_method: str) -> set[str]:
    """Return the calls of gRPC that a method of the client makes."""
    source = inspect.getsource(getattr(AsyncClient, client_method))
    found = {name for name in re.findall(r'"([A-Z]\w+)"', source) if name in _METHODS}
    for other in re.findall(r"self\.([a-z]\w+)\(", source):
        found |= calls_of(other)
    if not found and client_method.startswith("iter_"):
        found = calls_of(client_method.replace("iter_", "list_"))
    return found


def methods_asked(function: Any) -> Iterator[str]:
    """Yield the client's methods that an endpoint calls, by itself or by functions of its module."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "jobstore":
            yield node.attr
        helper = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
        if helper is not None and helper.startswith("_"):
            yield from methods_asked(inspect.getmodule(function).__dict__[helper])


#: `_shared` has the operations of batches by their other names.
ROUTERS = [
    router
    for module in (audit, identity, jobs, judging, operations, receipts, system)
    for router in vars(module).values()
    if isinstance(router, APIRouter)
]


def test_an_operation_says_each_call_that_it_makes():
    said, seen = {}, {}
    for route in (route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)):
        made = set().union(*(calls_of(method) for method in methods_asked(route.endpoint)))
        said[route.name], seen[route.name] = set(find_access(route.name).calls), made
    assert said == seen
    assert len(seen) > 60
