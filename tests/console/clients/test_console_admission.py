"""A request is refused before its body is read: the answer comes although nothing of the body was sent."""

import asyncio

import pytest
from support.fake_jobstore import TOKEN

from signoff.v1 import identity_service_pb2 as identity_pb

LARGE = 60 << 20


async def answered(console, *headers, path="/api/jobs"):
    """The status and code of the answer to a request of which the headers alone were sent."""
    host, port = console.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}:{port}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    try:
        async with asyncio.timeout(60):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            body = await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r")[0]))
    finally:
        writer.close()
    return int(head.split()[1]), body.decode().partition('"code":"')[2].partition('"')[0]


JSON, SIZE, CHUNKS = "Content-Type: application/json", f"Content-Length: {LARGE}", "Transfer-Encoding: chunked"


@pytest.mark.parametrize("size", [SIZE, CHUNKS])
@pytest.mark.parametrize("path", ["/api/jobs", "/api/batches", "/api/agents", "/api/limits/x", "/api/jobs/x/execute"])
@pytest.mark.parametrize("credentials", ["X: y", "Authorization: Bearer unknown", "Authorization: Basic eDp5"])
async def test_a_stranger_is_refused(console, credentials, path, size):
    status, code = await answered(console, JSON, size, credentials, path=path)
    assert (status, code) in {(401, "unauthenticated"), (405, "method_not_allowed")}
    assert (status == 405) is (path == "/api/limits/x")  # which takes PUT


@pytest.mark.parametrize(
    ("headers", "status"), [((JSON, SIZE), 413), (("Content-Type: text/plain", SIZE), 415), ((CHUNKS,), 415)]
)
async def test_a_body_that_is_too_large_or_no_json_is_refused(console, headers, status):
    assert (await answered(console, f"Authorization: Bearer {TOKEN}", *headers))[0] == status


async def test_the_jobstore_is_asked_about_a_token_once_in_a_while(http, jobstore):
    for number in range(5):
        async with http.post("/api/jobs", json={"title": f"{number}", "acceptance_criteria": "c"}) as answer:
            assert answer.status == 201
    assert len(jobstore.asked(identity_pb.GetCallerRequest)) == 1


async def test_many_who_come_at_once_ask_about_their_token_once(http, jobstore):
    async def watch():
        async with http.get("/api/events") as answer:
            assert answer.status in {200, 503}  # there is room for three

    await asyncio.gather(*(watch() for _ in range(20)))
    assert len(jobstore.asked(identity_pb.GetCallerRequest)) == 1


async def test_a_token_that_is_refused_is_asked_about_again(http):
    for _ in range(2):
        async with http.get("/api/events", headers={"Authorization": "Bearer unknown"}) as answer:
            assert answer.status == 401
