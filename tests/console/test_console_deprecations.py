"""What is deprecated is answered as ever, with headers that say so: RFC 9745 and RFC 8594."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from fastapi import Request
from support.fake_jobstore import FakeJobStore

from console.api.requests import find_deprecated
from contracts.resources import NewJob
from servicekit.deprecations import DEPRECATIONS, EARLIER_NAMES, USES, Deprecation, note_uses

SOON = Deprecation(datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC))
SCHEMAS = {
    "NewThing": {
        "properties": {"old": {"type": "string", "deprecated": True}, "parts": {"items": {"$ref": "#/x/Part"}}}
    },
    "Part": {"properties": {"age": {"deprecated": True}, "name": {}}},
}
OPERATION = {
    "deprecated": True,
    "parameters": [{"name": "way", "in": "query", "deprecated": True}, {"name": "text", "in": "query"}],
    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/x/NewThing"}}}},
}


@pytest.mark.parametrize(("query", "is_old"), [("q=poem", True), ("fields=summary", True), ("text=poem", False)])
async def test_an_earlier_name_is_taken_and_told(
    http: aiohttp.ClientSession, jobstore: FakeJobStore, query: str, is_old: bool
) -> None:
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes"))
    async with http.get(f"/api/jobs?{query}") as answer:
        assert [job["id"] for job in (await answer.json())["items"]] == ["poem"]
        told = (answer.headers.get("Deprecation"), answer.headers.get("Sunset"))
    assert told == (("@1796083200", "Wed, 01 Dec 2027 00:00:00 GMT") if is_old else (None, None))


def request_of(body: Any) -> Request:
    document = {"paths": {"/api/things": {"post": OPERATION}}, "components": {"schemas": SCHEMAS}}
    scope = {
        "type": "http",
        "method": "POST",
        "query_string": b"way=1&text=a",
        "headers": [],
        "path": "/api/things",
        "route": SimpleNamespace(path="/api/things"),
        "app": SimpleNamespace(openapi=lambda: document),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    return Request(scope, receive)


async def test_routes_parameters_and_members_that_the_document_declares_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {"old": "a", "parts": [{"age": 1}, {"name": "b"}]}
    assert await find_deprecated(request_of(asked)) == []
    monkeypatch.setitem(DEPRECATIONS, "POST /api/things", SOON)
    assert await find_deprecated(request_of(asked)) == [
        "POST /api/things",
        "POST /api/things query:way",
        "NewThing.old",
        "Part.age",
    ]


def test_of_several_the_one_that_ends_first_is_told_and_each_is_counted() -> None:
    before = USES.labels("new_one")._value.get()
    headers = note_uses({"new_one": SOON, "q": EARLIER_NAMES})
    assert headers == [("deprecation", "@1796083200"), ("sunset", "Wed, 01 Dec 2027 00:00:00 GMT")]
    assert USES.labels("new_one")._value.get() == before + 1
    assert note_uses({}) == []
