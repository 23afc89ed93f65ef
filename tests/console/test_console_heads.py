"""HEAD is answered wherever GET is, and a compressed body has an entity tag of its own."""

import asyncio

import pytest

from contracts.resources import NewJob
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import operations_service_pb2 as pb

#: Of each answer its own.
OWN = {"date", "x-request-id", "x-server-time", "content-security-policy"}
#: The page has a nonce, which compresses to this length or that.
PAGES = {"/", "/docs"}


@pytest.fixture
async def poem(jobstore):
    text = "It rhymes, " * 200
    return await jobstore.add(
        NewJob(id="poem", title="a poem", description=text, acceptance_criteria="x", agent_id="a")
    )


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs",
        "/api/jobs/poem",
        "/api/jobs/nobody",
        "/api/agents",
        "/api/health",
        "/api/receipt-keys",
        "/",
        "/docs",
    ],
)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_head_is_answered_as_get_without_the_body(http, poem, path, encoding):
    assert poem
    headers = {"Accept-Encoding": encoding}
    async with http.get(path, headers=headers) as get, http.head(path, headers=headers) as head:
        assert head.status == get.status
        assert await head.read() == b""
        left = OWN | ({"content-length"} if path in PAGES else set())
        said, expected = ({k: v for k, v in each.headers.items() if k.lower() not in left} for each in (head, get))
    assert said == expected


async def test_the_head_of_a_stream_ends_and_holds_no_place(http):
    async with asyncio.timeout(10):
        for _ in range(9):  # of three viewers at most
            async with http.head("/api/events") as head:
                assert (head.status, head.content_type) == (200, "text/event-stream")


async def test_a_path_without_get_has_no_head(http):
    async with http.head("/api/jobs/poem/execute") as head:
        assert (head.status, head.headers["Allow"]) == (405, "POST")


async def test_a_compressed_body_has_its_own_entity_tag_and_either_names_the_version(http, poem):
    url, tags = "/api/jobs/poem", {}
    for encoding in ("gzip", "identity"):
        async with http.get(url, headers={"Accept-Encoding": encoding}) as answer:
            tags[encoding] = answer.headers["ETag"]
            assert "Accept-Encoding" in answer.headers["Vary"]
    assert tags == {"gzip": f'"{poem.version}-gzip"', "identity": f'"{poem.version}"'}
    for tag in tags.values():
        async with http.get(url, headers={"If-None-Match": f'"9", W/{tag}'}) as answer:
            assert (answer.status, answer.headers["ETag"]) == (304, tag)
    async with http.get(url, headers={"If-None-Match": '"9-gzip"'}) as answer:
        assert answer.status == 200


async def test_agents_and_limits_have_entity_tags_and_if_match_counts_at_their_writes(http, jobstore):
    agent, limit = {"id": "writer", "name": "a", "url": "http://a/"}, {"concurrency": 1}
    async with http.post("/api/agents", json=agent) as answer:
        assert answer.status == 201
    async with http.put("/api/limits/tenant:press", json=limit) as answer:
        assert answer.headers["ETag"] == '"1"'
    for url, body in (("/api/agents/writer", agent), ("/api/limits/tenant:press", limit)):
        async with http.get(url) as answer:
            assert (answer.headers["ETag"], (await answer.json())["version"]) == ('"1"', 1)
        async with http.get(url, headers={"If-None-Match": '"1"'}) as answer:
            assert answer.status == 304
        async with http.put(url, json=body, headers={"If-Match": "1"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (412, "version_conflict")
        async with http.put(url, json=body, headers={"If-Match": '"1"'}) as answer:
            assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    async with http.delete("/api/limits/tenant:press", headers={"If-Match": '"2"'}) as answer:
        assert answer.status == 204
    asked = [
        request.version
        for kind in (agents_pb.UpdateAgentRequest, pb.SetLimitRequest)
        for request in jobstore.asked(kind)
    ]
    assert asked == [1, 0, 1]
    assert jobstore.asked(pb.RemoveLimitRequest)[0].version == 2
