"""A client that is slow, endless or one of thousands is told so or cut off, and holds nobody else up."""

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from itertools import chain, repeat

import aiohttp
import pytest
from support.fake_jobstore import TOKEN

from console.config import ClientLimits

SHORT = {"head_s": 0.5, "patience_s": 0.5}
JOB = b'{"title": "t", "acceptance_criteria": "c"}'
TYPED = f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"


@pytest.fixture
def client_limits(request):
    return ClientLimits(**getattr(request, "param", {}))


@asynccontextmanager
async def connected(console):
    host, port = console.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 10)
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.close()


async def send_all(writer, parts, every_s=0.0):
    """Send until the other side ends the connection."""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every_s)
    except ConnectionError:
        pass


async def ended(reader):
    """The status and code with which a connection was ended; None: without an answer."""
    data = b""
    try:
        while chunk := await reader.read(1 << 10):
            data += chunk
    except ConnectionError:  # what was sent and not read resets it
        pass
    if not data:
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"], b"connection: close" in head.lower()


async def is_served(http):
    async with http.get("/api/jobs") as answer:
        return answer.status == 200


@pytest.mark.parametrize("client_limits", [{"idle_s": 1}], indirect=True)
async def test_a_connection_stands_idle_longer_than_in_pools_of_clients(console):
    assert ClientLimits().idle_s > 60
    async with connected(console) as (reader, writer):
        writer.write(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        answered_at = time.monotonic()
        await reader.read()
        assert time.monotonic() - answered_at > 0.9


@pytest.mark.parametrize("client_limits", [SHORT], indirect=True)
@pytest.mark.parametrize("sent", ["", "\r\n", "GET /api/jobs HTTP/1.1\r\nN", "GET / HTTP/1.1\r\nHost: x\r\nName: v"])
async def test_a_head_that_does_not_come_is_not_waited_for(console, http, sent):
    async with connected(console) as (reader, writer):
        more = repeat(b"\r\n" if sent.isspace() else sent[-1:].encode())
        sending = asyncio.create_task(send_all(writer, chain([sent.encode()], more), 0.1))
        assert await ended(reader) == ((408, "request_timeout", True) if sent else None)
        sending.cancel()
    assert await is_served(http)


@pytest.mark.parametrize("client_limits", [SHORT], indirect=True)
async def test_the_next_head_is_not_waited_for_either(console):
    async with connected(console) as (reader, writer):
        writer.write(b"GET /api/jobs HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
        sending = asyncio.create_task(
            send_all(writer, (bytes([one]) for one in b"GET /api/jobs HTTP/1.1\r\n" * 99), 0.1)
        )
        assert await ended(reader) == (408, "request_timeout", True)
        sending.cancel()


ENDLESS = {
    "a field after another": repeat(b"".join(b"Name-%d: value\r\n" % n for n in range(100))),
    "one field": repeat(b"v" * 999),
}


@pytest.mark.parametrize("where", ["in the head", "in the trailer"])
@pytest.mark.parametrize("what", ENDLESS)
async def test_fields_without_an_end_are_refused(console, http, what, where):
    begin = "POST /api/jobs HTTP/1.1\r\nHost: x\r\n"
    if where == "in the trailer":
        begin += f"{TYPED}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n0\r\n"
    async with connected(console) as (reader, writer):
        writer.write(f"{begin}A: ".encode())
        sending = asyncio.create_task(send_all(writer, ENDLESS[what]))
        # what goes on being sent may reset the connection before its answer is read
        assert await ended(reader) in {(431, "head_too_large", True), None}
        sending.cancel()
    assert await is_served(http)


async def test_a_head_that_is_just_too_large_is_told_so(console):
    for size, status in ((30_000, 200), (32_768, 431)):
        async with connected(console) as (reader, writer):
            writer.write(f"GET /api/health HTTP/1.1\r\nConnection: close\r\nA: {'v' * size}\r\n\r\n".encode())
            assert (await reader.read()).startswith(b"HTTP/1.1 %d" % status)


async def test_what_is_no_request_is_a_problem(console):
    async with connected(console) as (reader, writer):
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert await ended(reader) == (400, "malformed_request", True)


@pytest.mark.parametrize("client_limits", [SHORT], indirect=True)
async def test_a_body_that_comes_by_the_byte_is_refused(console, http):
    async with connected(console) as (reader, writer):
        writer.write(f"POST /api/jobs HTTP/1.1\r\nHost: x\r\n{TYPED}Content-Length: {len(JOB)}\r\n\r\n".encode())
        sending = asyncio.create_task(send_all(writer, (bytes([one]) for one in JOB), 0.1))
        assert await ended(reader) == (408, "request_timeout", True)
        sending.cancel()
    assert await is_served(http)


@pytest.mark.parametrize("client_limits", [SHORT], indirect=True)
async def test_a_body_goes_on_as_long_as_it_is_fast_enough(console):
    """In more time than the patience, since each of its bytes earns some."""
    body = JOB + b" " * 900
    async with connected(console) as (reader, writer):
        writer.write(f"POST /api/jobs HTTP/1.1\r\nHost: x\r\n{TYPED}Content-Length: {len(body)}\r\n\r\n".encode())
        await send_all(writer, (body[n : n + 100] for n in range(0, len(body), 100)), 0.06)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize("client_limits", [SHORT], indirect=True)
async def test_a_refused_body_is_not_read_for_ever(console):
    async with connected(console) as (reader, writer):
        writer.write(f"POST /api/jobs HTTP/1.1\r\nHost: x\r\n{TYPED}Content-Length: 99999\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413")
        sending = asyncio.create_task(send_all(writer, repeat(b"x"), 0.1))
        with suppress(ConnectionError):
            while await reader.read(1 << 10):
                pass
        sending.cancel()


@pytest.mark.parametrize("client_limits", [{"bodies_max_bytes": 1_500}], indirect=True)
async def test_bodies_share_a_bound(console, http):
    async with connected(console) as (_, writer), connected(console) as (other, more):
        for one in (writer, more):
            one.write(
                f"POST /api/jobs HTTP/1.1\r\nHost: x\r\n{TYPED}Content-Length: 1000\r\n\r\n".encode() + b" " * 900
            )
        head = (await other.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 429")
        assert b"retry-after: 1" in head
    async with asyncio.timeout(10):  # what was given up is given back
        while True:
            async with http.post(
                "/api/jobs", data=JOB + b" " * 900, headers={"Content-Type": "application/json"}
            ) as told:
                if told.status == 201:
                    break


@pytest.mark.parametrize("client_limits", [{"requests_max": 1, "turn_s": 0.3}], indirect=True)
async def test_requests_beyond_those_worked_on_are_refused(console, http, jobstore):
    """Streams, and bodies that do not come, are not worked on. Who asks again at once leaves others a turn."""
    async with http.get("/api/events") as events, connected(console) as (_, writer):
        await events.content.readline()
        writer.write(f"POST /api/jobs HTTP/1.1\r\nHost: x\r\n{TYPED}Content-Length: 99\r\n\r\n{{".encode())
        assert await is_served(http)
        jobstore.held = asyncio.Event()
        first = asyncio.create_task(is_served(http))
        async with asyncio.timeout(10):
            status = 0
            while status != 429:
                asked = time.monotonic()
                async with http.get("/docs") as answer:
                    status, body = answer.status, await answer.read()
        assert time.monotonic() - asked >= 0.3
        assert answer.headers["Retry-After"] == "1"
        assert json.loads(body)["code"] == "too_many_requests"
        jobstore.held.set()
        assert await first
        assert await is_served(http)


@pytest.mark.parametrize("client_limits", [{"connections_max": 3}], indirect=True)
async def test_there_is_a_most_of_connections(console, http):
    async with connected(console), connected(console):
        assert await is_served(http)
        async with connected(console) as (reader, _):
            assert await ended(reader) == (503, "too_many_connections", True)
        assert await is_served(http)


@pytest.mark.parametrize("client_limits", [{**SHORT, "connections_max": 1}], indirect=True)
async def test_a_client_that_does_not_take_its_answers_is_cut_off(console):
    """Else what it was sent stays in memory as long as it likes."""
    async with connected(console) as (_, writer):
        writer.transport.pause_reading()
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200)  # more than the system buffers
        async with aiohttp.ClientSession(console) as session:
            status = 503
            while status == 503:
                async with session.get("/openapi.json") as answer:
                    status = answer.status
    assert status == 200


async def test_five_thousand_idle_connections_leave_others_served(console):
    host, port = console.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    idle = [await loop.create_connection(asyncio.Protocol, host, int(port)) for _ in range(5_000)]
    async with aiohttp.ClientSession(console, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        assert await is_served(session)
    for transport, _ in idle:
        transport.close()
