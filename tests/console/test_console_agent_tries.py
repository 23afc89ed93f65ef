"""Tries of agents over REST: asked for once, listed and shown."""

from uuid import uuid4

from support.fake_operations import id_of

from contracts.resources import NewAgent
from signoff.types import AgentTry


async def test_an_agent_is_tried_over_rest(http, jobstore):
    jobstore.add_agent(NewAgent(id="writer", name="Writer", url="http://127.0.0.1:1/"))
    tries = "/api/agents/writer/tries"
    async with http.post(tries, json={"payload": {"a": 1}}, headers={"Idempotency-Key": "k"}) as answer:
        made = await answer.json()
        assert (answer.status, answer.headers["Location"]) == (201, f"{tries}/{id_of('k')}")
    assert (made["state"], made["check"]) == ("QUEUED", False)
    async with http.get(f"{tries}/{made['id']}") as answer:
        shown = await answer.json()
    assert (shown["state"], shown["result"]) == ("DONE", "a result")
    assert set(shown) <= set(AgentTry.model_fields)
    async with http.get(tries) as answer:
        assert [item["id"] for item in (await answer.json())["items"]] == [made["id"]]
    for path, status, code in (
        (f"{tries}/{uuid4()}", 404, "unknown_try"),
        ("/api/agents/nobody/tries", 404, "unknown_agent"),
        (f"{tries}/x", 422, "invalid_request"),
    ):
        async with http.get(path) as answer:
            assert (answer.status, (await answer.json())["code"]) == (status, code)
    async with http.post(tries, json={"playload": 1}) as answer:
        assert (answer.status, "payload" in (await answer.json())["detail"]) == (422, True)
