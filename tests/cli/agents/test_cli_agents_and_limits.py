"""Agents, limits and dead letters from the command line."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from contracts.resources import NewAgent, NewJob
from signoff.status import Circuit, JobLogStatus
from signoff.types import AgentCheck, AgentExchange, WaitingSum
from signoff.v1 import operations_service_pb2 as operations_pb


def job(job_id, ends=None):
    payload = None if ends is None else {"ends": ends}
    return NewJob(id=job_id, title=job_id, acceptance_criteria="c", agent_id="writer", payload=payload)


async def test_an_agent_is_created_changed_and_disabled(signoff):
    url = "http://127.0.0.1:1/writer"
    created = await signoff("agents", "create", "--id", "writer", "--name", "Writer", "--url", url, "--json")
    assert created.json["protocol"] == "http"
    changed = await signoff("agents", "update", "writer", "--name", "Author", "--capability", "prose", "--json")
    assert (changed.json["name"], changed.json["url"], changed.json["capabilities"]) == ("Author", url, ["prose"])
    assert (await signoff("agents", "disable", "writer", "--json")).json["enabled"] is False
    assert (await signoff("agents", "update", "writer", "--enabled", "--json")).json["enabled"] is True
    assert "Author" in (await signoff("agents", "list")).out
    assert (await signoff("agents", "get", "nobody")).status == 3
    assert (await signoff("agents", "create", "--name", "x", "--url", "ftp://x")).status == 2
    for command in (("create", "--name", "x", "--url", url), ("update", "writer")):
        refused = await signoff("agents", *command, "--protocol", "telnet")
        assert (refused.status, "'telnet' is not one of 'http', 'http_async'" in refused.err) == (2, True)


async def test_the_protocol_of_an_agent_is_chosen_once(signoff):
    create = ("agents", "create", "--id", "a", "--name", "a", "--url", "http://127.0.0.1:1/", "--json")
    assert (await signoff(*create, "--protocol", "http_async")).json["protocol"] == "http_async"
    same = await signoff("agents", "update", "a", "--protocol", "http_async", "--name", "b", "--json")
    assert (same.json["protocol"], same.json["name"]) == ("http_async", "b")
    refused = await signoff("agents", "update", "a", "--protocol", "http", "--json")
    assert (refused.status, json.loads(refused.err)["code"]) == (3, "agent_protocol_fixed")


async def test_an_agent_has_settings_of_its_protocol(signoff, tmp_path):
    create = ("agents", "create", "--name", "a", "--url", "http://127.0.0.1:1/", "--protocol", "openai", "--json")
    file, words = tmp_path / "settings.json", tmp_path / "instructions.txt"
    file.write_text('{"model": "gpt-4", "parameters": {"temperature": 0}}')
    words.write_text("Be brief.\nSay {why}.")
    made = await signoff(
        *create,
        "--id",
        "a",
        "--settings",
        f"@{file}",
        "--setting",
        "model=gpt-5",
        "--setting",
        f"instructions=@{words}",
    )
    assert made.json["settings"] == {
        "model": "gpt-5", "parameters": {"temperature": 0}, "instructions": "Be brief.\nSay {why}.",
    }  # fmt: skip
    changed = await signoff(
        "agents", "update", "a", "--setting", "background=true", "--settings", '{"instructions": null}', "--json"
    )
    assert changed.json["settings"] == {"model": "gpt-5", "parameters": {"temperature": 0}, "background": True}
    shown = (await signoff("agents", "get", "a")).out
    assert [words in shown for words in ("model=gpt-5", 'parameters={"temperature": 0}', "background=true")] == [
        True
    ] * 3
    assert "openai gpt-5" in (await signoff("agents", "list")).out


async def test_settings_that_the_protocol_does_not_have_are_refused_with_their_place(signoff):
    create = ("agents", "create", "--name", "a", "--url", "http://127.0.0.1:1/", "--protocol", "openai")
    for options, said in (
        (["--setting", "model=x", "--setting", "template={{weather}}"], "settings.template: weather is none of title"),
        (["--setting", "model=x", "--setting", "colour=red"], "settings.colour"),
        ([], "settings.model"),
        (["--settings", "[]"], "is no object"),
        (["--settings", "{"], "is no JSON"),
        (["--setting", "model"], "is not name=value"),
        (["--setting", "model=x", "--setting", """schema={"a'"""], "line 1 column 2"),
        (["--setting", "model=x", "--setting", 'input=["a"'], "line 1 column 5"),
        (["--setting", "model=x", "--setting", 'instructions="Be brief'], "with a space before it"),
        (["--setting", "model=x", "--setting", "input=" + "[" * 99_999], "is no JSON"),
        (["--policy", "max_calls={"], "line 1 column 2"),
    ):
        ran = await signoff(*create, *options)
        assert (ran.status, said in ran.err) == (2, True), ran.err


async def test_calls_are_signed_by_reference(signoff):
    url, reference = "http://127.0.0.1:1/", "env:SIGNOFF_AGENT_SIGNING"
    create = ("agents", "create", "--name", "a", "--url", url)
    made = await signoff(*create, "--id", "a", "--signing", reference, "--json")
    assert made.json["signing"] == reference
    assert reference in (await signoff("agents", "get", "a")).out
    assert (await signoff("agents", "update", "a", "--name", "b", "--json")).json["signing"] == reference
    assert (await signoff("agents", "update", "a", "--signing", reference, "--no-signing")).status == 2
    assert "signing" not in (await signoff("agents", "update", "a", "--no-signing", "--json")).json
    refused = await signoff(*create, "--signing", "whsec_s3cret")
    assert (refused.status, "s3cret" in refused.out + refused.err) == (2, False)
    unsigned = await signoff(*create, "--protocol", "openai", "--setting", "model=m", "--signing", reference)
    assert (unsigned.status, "calls by openai are not signed" in unsigned.err) == (2, True)


async def test_the_circuit_of_an_agent_is_shown_and_until_when_it_is_open(signoff, jobstore):
    until = datetime(2100, 1, 1, 12, 30, tzinfo=UTC)
    agents = {"calm": (Circuit.CLOSED, None), "down": (Circuit.OPEN, until), "tried": (Circuit.HALF_OPEN, until)}
    for name, (circuit, at) in agents.items():
        agent = jobstore.add_agent(NewAgent(id=name, name=name, url="http://127.0.0.1:1/"))
        jobstore.agents[name] = agent.model_copy(update={"circuit": circuit, "circuit_open_until": at})
    lines = {line.split()[0]: line for line in (await signoff("agents", "list")).out.splitlines()}
    assert "closed" in lines["calm"]
    assert f"open until {until.astimezone():%Y-%m-%d %H:%M:%S %Z}" in lines["down"]
    assert "half open" in lines["tried"]
    told = (await signoff("agents", "get", "down", "--json")).json
    assert (told["circuit"], datetime.fromisoformat(told["circuit_open_until"])) == ("OPEN", until)


async def test_an_agent_is_paused_and_resumed(signoff):
    await signoff("agents", "create", "--id", "writer", "--name", "Writer", "--url", "http://127.0.0.1:1/")
    assert (await signoff("agents", "pause", "writer", "--json")).json["paused"] is True
    assert "paused" in (await signoff("agents", "list")).out
    assert (await signoff("agents", "resume", "writer", "--json")).json["paused"] is False
    assert (await signoff("agents", "pause", "nobody")).status == 3


async def test_an_agent_is_said_to_be_deterministic(signoff):
    url = "http://127.0.0.1:1/"
    made = await signoff("agents", "create", "--id", "a", "--name", "a", "--url", url, "--deterministic", "--json")
    assert made.json["deterministic"] is True
    assert (await signoff("agents", "update", "a", "--name", "b", "--json")).json["deterministic"] is True
    changed = await signoff("agents", "update", "a", "--no-deterministic", "--json")
    assert changed.json["deterministic"] is False


async def test_an_agent_has_headers_by_reference(signoff):
    url, key = "http://127.0.0.1:1/", "X-Key=file:a=b"
    made = await signoff(
        "agents", "create", "--id", "a", "--name", "a", "--url", url, "--json",
        "--header", "Authorization=env:SIGNOFF_AGENT_A", "--header", key,
    )  # fmt: skip
    assert made.json["headers"] == {"Authorization": "env:SIGNOFF_AGENT_A", "X-Key": "file:a=b"}
    kept = await signoff("agents", "update", "a", "--name", "b", "--json")
    assert kept.json["headers"] == made.json["headers"]
    changed = await signoff(
        "agents", "update", "a", "--header", "X-Key=file:c", "--remove-header", "Authorization", "--json"
    )
    assert changed.json["headers"] == {"X-Key": "file:c"}
    assert (await signoff("agents", "update", "a", "--header", key, "--no-headers")).status == 2
    assert (await signoff("agents", "update", "a", "--no-headers", "--json")).json["headers"] == {}


async def test_a_header_that_is_no_reference_is_refused_and_not_quoted(signoff):
    for header in ("Authorization=Bearer s3cret", "Authorization: Bearer s3cret", "s3cret", "Host=env:SIGNOFF_AGENT_A"):
        ran = await signoff("agents", "create", "--name", "a", "--url", "http://a/", "--header", header)
        assert (ran.status, "s3cret" in ran.out + ran.err) == (2, False)


async def test_limits_are_set_changed_paused_and_removed(signoff):
    made = await signoff(
        "limits", "set", "tenant:a", "--concurrency", "2", "--rate", "5", "--per-s", "60", "--queue-max", "9",
        "--weight", "1.5", "--json",
    )  # fmt: skip
    about = {"concurrency": 2, "rate": 5, "rate_period_s": 60.0, "queue_max": 9, "weight": 1.5}
    assert about.items() <= made.json.items()
    assert "paused" not in made.json
    assert (await signoff("limits", "pause", "tenant:a", "--json")).json["paused"] is True
    assert "5 in 60 s" in (await signoff("limits", "list")).out
    assert (await signoff("limits", "get", "tenant:a", "--json")).json["rate"] == 5
    missed = await signoff("limits", "get", "tenant:other", "--json")
    assert (missed.status, json.loads(missed.err)["code"]) == (3, "unknown_limit")
    assert (await signoff("limits", "resume", "tenant:a", "--json")).json["paused"] is False
    changed = (await signoff("limits", "set", "tenant:a", "--paused", "--unset", "weight", "--json")).json
    assert (changed["concurrency"], changed["paused"], "weight" in changed) == (2, True, False)
    assert (await signoff("limits", "remove", "tenant:a")).status == 0
    assert (await signoff("limits", "list", "--json")).json == {"items": []}
    again = await signoff("limits", "remove", "tenant:a", "--json")
    assert (again.status, json.loads(again.err)["code"]) == (3, "unknown_limit")
    assert (await signoff("limits", "set", "tenant:a", "--rate", "0")).status == 2


async def test_dead_letters_are_counted_and_the_newest_shown(signoff):
    listed = await signoff("dlq", "list", "--limit", "1", "--json")
    assert (listed.status, listed.json["counts"]) == (0, {"a-dlq": 2, "b-dlq": 0})
    assert [letter["source_offset"] for letter in listed.json["items"]] == [2]
    shown = (await signoff("dlq", "list")).out
    assert "a-dlq: 2" in shown
    header, newest, _ = shown.splitlines()[2:]
    assert re.split("  +", header) == ["dead letter", "time", "code", "came from", "key", "why"]
    at = f"{datetime.now().astimezone():%Y-%m-%d}" + r" \d\d:\d\d:\d\d \S+"
    assert re.fullmatch(rf"a-dlq/0/2 +{at} +malformed +a/\?/2 *", newest)
    shown = (await signoff("dlq", "list", "--all")).out
    assert re.search(rf"a-dlq/0/1 .* discarded by token:bootstrap, {at}: a test", shown)


async def test_the_overview_says_what_waits_what_ended_and_how_agents_do(signoff, jobstore):
    asks = WaitingSum(code="judge_away", count=2, owner="operator", remedy="it is asked again until it answers")
    full = WaitingSum(code="limit_concurrency", name="tenant:press", count=3, owner="operator", remedy="raise it")
    jobstore.waiting_sums = [full, asks]
    shown = (await signoff("overview", "--range", "2d")).out.splitlines()
    assert [re.split("  +", line.rstrip()) for line in shown] == [
        ["now", "3 queued, the oldest for 1m 15s; 1 running; 0 being judged"],
        ["why they wait", "3 for limit_concurrency tenant:press, 2 for judge_away: see `signoff explain`"],
        ["dead letters", "2: see `signoff dlq list`"],
        ["last 2d", "12 created, 7 completed, 2 failed"],
        ["spent", "0.25 USD"],
        ["wait", "p50 0.50 s"],
        ["agent", "p50 0.30 s"],
        ["in all", "p50 35.00 s"],
        [""],
        ["agent", "runs", "waits", "completed in 24h", "wait", "answers in", "judged in"],
        ["writer", "1", "0", "90%", "34.00 s", "0.30 s"],
    ]
    (asked,) = jobstore.asked(operations_pb.GetOverviewRequest)
    assert asked.range_s == 172_800
    told = (await signoff("overview", "--json")).json
    assert (told["overview"]["now"]["queued"], told["agents"][0]["agent_id"]) == (3, "writer")
    assert (await signoff("overview", "--range", "long")).status == 2


async def test_a_pipe_is_given_whole_texts(signoff, jobstore):
    """A terminal is shown the beginning: see test_cli_terminal.py."""
    message, payload = "why " * 200 + "end", {"text": "x" * 1_000 + "end"}
    await jobstore.add(NewJob(id="j" * 60, title="t", acceptance_criteria="c", agent_id="writer", payload=payload))
    await jobstore.record("j" * 60, JobLogStatus.FAILED, message=message)
    assert message in (await signoff("jobs", "logs", "j" * 60)).out
    shown = (await signoff("jobs", "get", "j" * 60)).out
    assert (message in shown, payload["text"] in shown) == (True, True)


async def test_limits_are_listed_by_what_they_limit(signoff):
    assert (await signoff("limits", "list")).out == "nothing is limited: `signoff limits set` sets a limit\n"
    await signoff("limits", "set", "tenant:press", "--rate", "5", "--per-s", "60", "--weight", "1.5", "--paused")
    header, row = (await signoff("limits", "list")).out.splitlines()
    assert re.split("  +", header) == [
        *("name", "at once", "rate", "may wait", "weight", "a day", "judge policies", "paused"),
    ]
    assert row.split() == ["tenant:press", "5", "in", "60", "s", "1.5", "yes"]


async def test_a_tenant_is_limited_in_what_it_spends_and_which_policies_it_names(signoff, jobstore):
    made = await signoff("limits", "set", "tenant:press", "--usd-per-day", "20", "--judge-policies", "cheap,dear")
    assert made.out.splitlines()[1].split() == ["tenant:press", "20", "USD", "cheap", "dear", "no"]
    shown = (await signoff("limits", "get", "tenant:press", "--json")).json
    assert (shown["usd_per_day"], shown["judge_policies"]) == ("20", ["cheap", "dear"])
    spent = {"agents_usd": Decimal("19.5"), "judges_usd": Decimal("0.25")}
    jobstore.limits["tenant:press"] = jobstore.limits["tenant:press"].model_copy(update=spent)
    assert "20 USD, today agents 19.5 USD and judges 0.25 USD" in (await signoff("limits", "list")).out
    unset = ("--unset", "judge_policies", "--unset", "usd_per_day", "--json")
    left = (await signoff("limits", "set", "tenant:press", "--concurrency", "3", *unset)).json
    assert {"usd_per_day", "judge_policies"}.isdisjoint(left)
    for wrong in (("--usd-per-day", "0"), ("--usd-per-day", "0.0000000001"), ("--judge-policies", "Dear")):
        assert (await signoff("limits", "set", "tenant:press", *wrong)).status == 2


async def test_an_agent_is_tried_and_what_came_of_it_is_shown(signoff, jobstore):
    jobstore.add_agent(NewAgent(id="writer", name="Writer", url="http://127.0.0.1:1/"))
    made = await signoff("agents", "try", "writer", "--payload", '{"topic": "rain"}', "--json")
    assert (made.status, made.json["state"], made.json["result"]) == (0, "DONE", "a result")
    exchange = AgentExchange(
        method="POST", url="http://a/", request_headers={"X-Key": "***"}, status=500, response_body="no\x1b[2J\nreally"
    )
    check = AgentCheck(check="cancel", outcome="failed", message="it went on", advice="Stop it.", exchanges=[0])
    jobstore.try_ends = {"checks": [check], "exchanges": [exchange], "result": None}
    failed = await signoff("agents", "try", "writer", "--check")
    assert failed.status == 1
    for words in ("cancel: failed", "it went on. Stop it.", "> POST http://a/", "> X-Key: ***", "< 500", "< really"):
        assert words in failed.out
    assert "\x1b" not in failed.out
    listed = await signoff("agents", "tries", "writer", "--json")
    assert [item["check"] for item in listed.json["items"]] == [False, True]
    shown = await signoff("agents", "tries", "writer", "--id", made.json["id"], "--json")
    assert shown.json["id"] == made.json["id"]
    assert (await signoff("agents", "tries", "writer", "--id", str(uuid4()))).status == 3
    assert (await signoff("agents", "try", "writer", "--payload", "{")).status == 2
