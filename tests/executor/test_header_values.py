"""Agents are sent headers whose values only the executor knows, and no message of ours says one again."""

import os
import socket

import pytest
from async_agent import AsyncAgent, status
from fault_agent import says, sends
from support.factories import grant
from support.fakes import until

from contracts.events import ResultProduced
from executor.errors import AgentHeaderError
from executor.http_agents import VALUE_MAX_BYTES, HeaderValues
from executor.ports import Call
from signoff.status import Delivery, ReportKind
from signoff.status import Protocol as AgentProtocol

SECRET = "s3cret-of-the-writer"
VALUE = f"Bearer {SECRET}"
BY_ENV = {"Authorization": "env:SIGNOFF_AGENT_WRITER"}
BY_FILE = {"X-Key": "file:writer/key"}
DONE = status("succeeded", result="blue")


@pytest.fixture
def environ():
    return {"SIGNOFF_AGENT_WRITER": VALUE, "SIGNOFF_WORKER_TOKEN": "another", "HOME": "/root"}


@pytest.fixture
def key(header_dir):
    """The file of the header X-Key."""
    (header_dir / "writer").mkdir()
    file = header_dir / "writer" / "key"
    file.write_text("the key\n")
    return file


def values(environ=None, folder=None):
    return HeaderValues(environ or {}, folder)


@pytest.mark.usefixtures("key")
async def test_the_values_come_with_the_call(agent, outcome):
    produced = await outcome(agent.does(says(b"1")), headers=BY_ENV | BY_FILE)
    assert isinstance(produced, ResultProduced)
    (call,) = agent.calls
    assert (call.headers["Authorization"], call.headers["X-Key"]) == (VALUE, "the key")
    assert call.headers["Content-Type"] == "application/json"
    await outcome(agent.does(says(b"1")))
    assert "Authorization" not in agent.calls[1].headers


async def test_they_come_with_each_look_and_a_file_that_was_replaced_counts(agent, outcome, key):
    working = AsyncAgent(agent)

    async def replaces(writer):
        key.write_text("the next key")
        await status()(writer)

    url = working.takes(replaces, DONE)
    produced = await outcome(url, protocol=AgentProtocol.HTTP_ASYNC, headers=BY_ENV | BY_FILE)
    assert isinstance(produced, ResultProduced)
    assert [call.headers["Authorization"] for call in agent.calls] == [VALUE] * 3
    assert [call.headers["X-Key"] for call in agent.calls] == ["the key", "the key", "the next key"]


@pytest.mark.usefixtures("key")
async def test_an_agent_is_told_to_stop_with_them(agent, outcome):
    working = AsyncAgent(agent)
    url = working.takes(says(b"who?", 403))
    await outcome(url, protocol=AgentProtocol.HTTP_ASYNC, headers=BY_FILE)
    await until(lambda: working.stops)
    assert working.stops[0].headers["X-Key"] == "the key"


async def test_they_go_to_no_other_origin(agent, outcome):
    redirecting = agent.does(says(b"", 307, Location=f"http://localhost:{agent.port}/0"))
    assert (await outcome(redirecting, headers=BY_ENV)).code == "agent_redirect"
    taking = agent.does(says(b"", 202, Location=f"http://localhost:{agent.port}/0"))
    report = await outcome(taking, protocol=AgentProtocol.HTTP_ASYNC, headers=BY_ENV)
    assert report.code == "agent_invalid_location"
    assert [call.path for call in agent.calls] == ["/0", "/1"]


@pytest.mark.parametrize("delivery", Delivery)
async def test_a_value_that_is_missing_is_told_before_anything_is_sent_and_tried_again(agent, outcome, delivery):
    policy = {"delivery": delivery, "max_calls": 2}
    report = await outcome(agent.does(says(b"1")), headers={"X-Key": "env:SIGNOFF_AGENT_GONE"}, policy=policy)
    assert (report.kind, report.code, report.retryable) == (ReportKind.CALL_FAILED, "agent_header_unresolved", True)
    assert "the header X-Key" in report.message
    assert "SIGNOFF_AGENT_GONE" in report.message
    await until(lambda: report.retry_after_s is not None)
    assert agent.calls == []


async def test_work_goes_on_while_a_value_is_missing(agent, outcome, key):
    working = AsyncAgent(agent)

    async def removes(writer):
        await status()(writer)
        key.unlink()

    report = await outcome(
        working.takes(removes, DONE),
        protocol=AgentProtocol.HTTP_ASYNC,
        headers=BY_FILE,
        policy={"heartbeat_timeout_s": 0.3},
    )
    assert report.code == "agent_heartbeat_timeout"
    assert "the file writer/key" in report.message


REFERENCES = ["env:HOME", "env:SIGNOFF_WORKER_TOKEN", "env:SIGNOFF_AGENT_GONE", "env:", "Bearer literal", "", "file:"]


@pytest.mark.parametrize("reference", REFERENCES)
def test_nothing_else_of_the_environment_is_sent(environ, header_dir, reference):
    with pytest.raises(AgentHeaderError) as refused:
        values(environ, header_dir).read({"X-Key": reference})
    assert "literal" not in str(refused.value)


@pytest.mark.parametrize(
    "value", ["", " ", "a\nb", "a\r\nX-Evil: 1", " a", "a ", "a\0", "ä", "a\tb", "x" * (VALUE_MAX_BYTES + 1)]
)
@pytest.mark.parametrize("kind", ["env", "file"])
def test_what_no_header_may_hold_is_not_sent_and_not_said(header_dir, kind, value):
    secret = f"s3cret{value}" if len(value) > 2 else value
    (header_dir / "key").write_bytes(secret.encode())
    reader = values({"SIGNOFF_AGENT_KEY": secret}, header_dir)
    with pytest.raises(AgentHeaderError, match="does not hold 1 to 8192 printable") as refused:
        reader.read({"X-Key": "env:SIGNOFF_AGENT_KEY" if kind == "env" else "file:key"})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("text", ["the key", "the key\n", "the key\r\n"])
def test_the_last_line_break_of_a_file_is_not_part_of_the_value(header_dir, text):
    (header_dir / "key").write_bytes(text.encode())
    assert values(folder=header_dir).read({"X-Key": "file:key"}) == {"X-Key": "the key"}
    (header_dir / "key").write_bytes(b"x" * VALUE_MAX_BYTES + b"\r\n")
    assert len(values(folder=header_dir).read({"X-Key": "file:key"})["X-Key"]) == VALUE_MAX_BYTES


def test_a_link_within_the_folder_is_followed(header_dir, tmp_path):
    """As secrets are mounted in Kubernetes; and the folder itself may be one."""
    (header_dir / "..2026").mkdir()
    (header_dir / "..2026" / "key").write_text("the key")
    (header_dir / "..data").symlink_to("..2026")
    (header_dir / "key").symlink_to("..data/key")
    (tmp_path / "link").symlink_to(header_dir)
    assert values(folder=tmp_path / "link").read({"X-Key": "file:key"}) == {"X-Key": "the key"}
    assert values(folder=tmp_path / "link").read({"X-Key": f"file:{header_dir}/key"}) == {"X-Key": "the key"}


def test_nothing_outside_of_the_folder_is_read_nor_what_is_no_file(header_dir, tmp_path):
    outside = tmp_path / "headers-of-others"
    outside.mkdir()
    (outside / "key").write_text("s3cret")
    (header_dir / "key").symlink_to(outside / "key")
    (header_dir / "folder").symlink_to(outside)
    (header_dir / "circle").symlink_to("circle")
    os.mkfifo(header_dir / "pipe")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(header_dir / "socket"))
        for place in (
            *("key", "folder/key", "folder/../headers-of-others/key", "../headers-of-others/key", f"{outside}/key"),
            *("/etc/passwd", "circle", "pipe", "socket", ".", "", "gone", "gone/key", "x" * 300),
        ):
            with pytest.raises(AgentHeaderError, match="is missing, or cannot be read"):
                values(folder=header_dir).read({"X-Key": f"file:{place}"})


def test_without_a_folder_no_file_is_read(key):
    with pytest.raises(AgentHeaderError, match="SIGNOFF_AGENT_HEADER_DIR is not set"):
        values().read({"X-Key": f"file:{key}"})
    with pytest.raises(AgentHeaderError, match="is missing"):
        values(folder=key.parent / "gone").read({"X-Key": "file:key"})


ECHOES = {
    "a refusal": says(f"who is {VALUE}?".encode(), 401),
    "only what follows the scheme": says(f"no such token: '{SECRET}'".encode(), 403),
    "where the excerpt is cut": says(b"." * 490 + SECRET.encode(), 400),
    "a busy one": says(SECRET.encode(), 503),
    "one that declines": says(b"", 400, Signoff_Declined=f"not for {SECRET}"),
    "no HTTP": sends(f"HTTP/1.1 {SECRET} {VALUE}\r\n\r\n".encode()),
    "a header without end": sends(f"HTTP/1.1 200 OK\r\nX {VALUE}\r\n\r\n".encode()),
    "a location": says(b"", 202, Location=f"http://other.example/{SECRET}"),
}
STATUSES = {
    "a failure": status("failed", error={"code": SECRET, "message": f"no {VALUE}"}),
    "a failure that may pass": status("failed", error={"message": SECRET, "retryable": True}),
    "a refusal": says(SECRET.encode(), 401),
    "one that declines": status("declined", message=VALUE),
    "one that is busy until it is too late": says(b"." * 490 + SECRET.encode(), 503),
    "no status": status(f"{SECRET}"),
    "no HTTP": sends(f"HTTP/1.1 {SECRET} {VALUE}\r\n\r\n".encode()),
}


def parts(secret: str):
    """Long parts of it: none may be left where a text was cut."""
    return [secret[start : start + 6] for start in range(len(secret) - 5)]


def check_hidden(caplog, publisher):
    said = [event.model_dump_json() for event in (*publisher.events, *publisher.soon)]
    said += [repr(record.__dict__) for record in caplog.records]
    assert not [text for text in said for part in parts(SECRET) if part in text]
    assert "***" in "".join(said)


@pytest.mark.parametrize("script", ECHOES.values(), ids=ECHOES)
async def test_no_message_says_again_what_an_agent_repeats(agent, outcome, publisher, caplog, script):
    report = await outcome(agent.does(script), headers=BY_ENV, protocol=AgentProtocol.HTTP_ASYNC)
    assert report.kind in {ReportKind.FAILED, ReportKind.DECLINED}
    check_hidden(caplog, publisher)


@pytest.mark.parametrize("script", STATUSES.values(), ids=STATUSES)
async def test_nor_what_its_status_repeats(agent, outcome, publisher, caplog, script):
    url = AsyncAgent(agent).takes(status(message=f"I was sent {VALUE}", progress=0.5), script)
    policy = {"heartbeat_timeout_s": 0.3}
    report = await outcome(url, headers=BY_ENV, protocol=AgentProtocol.HTTP_ASYNC, policy=policy)
    assert report.kind in {ReportKind.FAILED, ReportKind.DECLINED}
    check_hidden(caplog, publisher)


@pytest.mark.parametrize("place", ["127.0.0.1:1", "127.0.0.1:{port}", "10.0.0.1", "[::1", "127.0.0.1:99999"])
async def test_a_password_in_an_old_url_is_used_and_not_said(agent, outcome, caplog, place):
    agent.does(says(b"who?", 401))
    report = await outcome(f"http://user:{SECRET}@{place.format(port=agent.port)}/0")
    assert report.kind is ReportKind.FAILED
    assert not any(part in text for part in parts(SECRET) for text in (report.message, caplog.text, str(report)))
    assert all(call.headers["Authorization"].startswith("Basic ") for call in agent.calls)


async def test_a_user_in_the_url_and_one_in_a_header_are_no_crash(agent, outcome):
    """The jobstore takes no such agent; facts that somebody forged may hold one."""
    url = agent.does(says(b"1")).replace("//", f"//user:{SECRET}@")
    assert (await outcome(url, headers=BY_ENV)).code == "agent_invalid_url"


async def test_nor_the_line_in_the_log_about_a_malformed_usage(agent, outcome, caplog):
    await outcome(agent.does(says(b"1", Signoff_Usage=f'{{"input_tokens": "{VALUE}"}}')), headers=BY_ENV)
    (line,) = [record for record in caplog.records if record.message == "an agent's usage is ignored"]
    assert SECRET not in repr(line.__dict__)


def test_a_value_too_short_to_be_a_secret_does_not_spoil_messages():
    call = Call(grant())
    call.keep_secret(["1", "abc", "abc de"])
    assert call.hide("the agent answered 401: abc") == "the agent answered 401: abc"


@pytest.mark.parametrize("name", ["a2a-version", "ACCEPT", "content-type", "idempotency-key"])
async def test_a_header_of_the_protocol_is_sent_once_and_is_the_protocols(agent, client, environ, name):
    """An agent of 0.2.0 may have a header that is refused since."""
    environ["SIGNOFF_AGENT_X"] = "the agent's"
    url = agent.does(says(b"1"))
    sent = {"A2A-Version": "1.0", "Accept": "x/y", "Content-Type": "x/y", "Idempotency-Key": "k"}
    await client.request(Call(grant(url=url, headers={name: "env:SIGNOFF_AGENT_X"})), "GET", url, headers=sent)
    (call,) = agent.calls
    of_name = {each: value for each, value in call.headers.items() if each.lower() == name.lower()}
    assert [*of_name.values()] == [sent[next(each for each in sent if each.lower() == name.lower())]]
