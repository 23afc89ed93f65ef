"""The doctor finds what is wrong, and only that."""

import asyncio
import json
import os
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import grpc
import psutil
import pytest
from aiohttp import web
from support.fake_operations import Refusal
from support.fakes import until

from cli.commands.kafka_checks import TopicState, check_topic
from contracts.resources import NewAgent
from contracts.topics import TOPICS
from servicekit.errors import DATABASE_OUTAGES
from servicekit.process.runtime import VERSION
from signoff.keeping import Kept, KeptArchive, KeptBack
from signoff.types import WaitingSum
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1.judge_service_pb2 import Validator


@asynccontextmanager
async def serving(status=200):
    async def health(_):
        return web.json_response({"status": "ok", "version": VERSION}, status=status)

    app = web.Application()
    app.add_routes([web.get("/api/health", health)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield url
    async with aiohttp.ClientSession() as session, session.get(url):  # behind every connection that was only opened
        await runner.cleanup()


@asynccontextmanager
async def answering(routes):
    app = web.Application()
    app.add_routes([web.get(path, handler) for path, handler in routes.items()])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@asynccontextmanager
async def listening():
    """Something that takes connections, and answers nothing."""

    async def hold(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


@pytest.fixture
async def gone_pid():
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    return process.pid


VALIDATORS = [("a", "default@1"), ("b", "default@2"), ("c", "")]


def checks(ran):
    return {check["part"]: check for check in ran.json["checks"]}


async def test_what_is_well_is_said_to_be(signoff, env, jobstore, jobstore_server, tmp_path):
    async with serving() as url:
        jobstore.add_agent(NewAgent(id="writer", name="Writer", url=f"{url}/writer"))
        file = tmp_path / "endpoints.json"
        endpoints = {"http": url, "grpc": jobstore_server.address, "token": env["SIGNOFF_TOKEN"], "judge": url}
        file.write_text(json.dumps(endpoints | {"processes": {"jobstore": os.getpid()}}))
        file.chmod(0o600)
        found = checks(await signoff("doctor", "--json", "--endpoints", str(file)))
    assert {part for part, check in found.items() if check["ok"]} == {
        "endpoints", "process jobstore", "console", "jobstore", "database", "token", "secrets", "upstreams",
        "executors", "validators", "versions", "clocks", "limits", "database role", "facts", "dead letters", "waiting",
        "archive", "retention", "agent writer", "judge",
    }  # fmt: skip
    assert found["kafka"]["remedy"]


@pytest.mark.usefixtures("env")
async def test_validators_that_are_set_differently_are_named(signoff, jobstore):
    one, other, silent = (Validator(owner=name, judge=judge) for name, judge in VALIDATORS)
    jobstore.validators = [one]
    assert checks(await signoff("doctor", "--json"))["judging"]["found"] == "1 validators judge by default@1"
    jobstore.validators = [one, other, silent]
    check = checks(await signoff("doctor", "--json"))["judging"]
    assert check["found"] == "validators are set differently: default@1: a; default@2: b; unknown: c"
    assert (check["ok"], "signoff judges diff default" in check["remedy"]) == (True, True)


@pytest.mark.usefixtures("env")
async def test_limits_that_were_lost_are_named_with_what_confirms_them_also_where_nothing_waits(signoff, jobstore):
    assert checks(await signoff("doctor", "--json"))["limits"]["ok"]
    jobstore.diagnosis.are_limits_lost = True
    check = checks(await signoff("doctor", "--json"))["limits"]
    assert (check["ok"], "`limits_lost`" in check["found"]) == (False, True)
    assert "signoff limits confirm" in check["remedy"]


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize("signed", [False, True])
async def test_it_says_whether_who_asks_by_a_topic_must_sign(signoff, jobstore, signed):
    jobstore.upstreams_sign = signed
    found = checks(await signoff("doctor", "--json"))
    assert "'2026-11'" in found["secrets"]["found"]
    check = found["upstreams"]
    assert check["ok"]
    assert check["found"].startswith("signed: " if signed else "open: ")


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("several", [False, True])
async def test_it_warns_of_requests_that_nobody_signs_beside_several_tenants(signoff, jobstore, signed, several):
    jobstore.upstreams_sign, jobstore.diagnosis.has_several_tenants = signed, several
    check = checks(await signoff("doctor", "--json"))["upstreams"]
    assert check["ok"]
    assert ("SIGNOFF_UPSTREAM_SECRETS=<id>@<tenant>:<base64>" in check["remedy"]) is (several and not signed)


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize("is_superuser", [False, True])
async def test_it_warns_of_a_jobstore_that_is_a_superuser(signoff, jobstore, is_superuser):
    jobstore.diagnosis.is_superuser = is_superuser
    check = checks(await signoff("doctor", "--json"))["database role"]
    assert (check["ok"], "SIGNOFF_MIGRATE_DATABASE_URL" in check["remedy"]) == (True, is_superuser)


async def test_what_is_wrong_is_named_with_a_remedy(signoff, env, jobstore, tmp_path, gone_pid):
    async with serving(503) as url:
        pass
    jobstore.add_agent(NewAgent(id="writer", name="Writer", url=f"{url}/writer"))
    jobstore.add_agent(NewAgent(id="retired", name="Retired", url=f"{url}/retired", enabled=False))
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"grpc": env["SIGNOFF_JOBSTORE"], "processes": {"executor": gone_pid}, "http": url}))
    file.chmod(0o640)
    ran = await signoff("doctor", "--json", "--endpoints", str(file), "--kafka", url.removeprefix("http://"))
    assert (ran.status, ran.json["ok"]) == (1, False)
    wrong = {part: check for part, check in checks(ran).items() if not check["ok"]}
    assert set(wrong) == {"endpoints", "process executor", "console", "agent writer", "kafka"}
    assert all(check["remedy"] for check in wrong.values())
    text = await signoff("doctor", "--endpoints", str(file))
    assert (text.status, "WRONG" in text.out) == (1, True)


async def test_a_password_in_an_agents_url_is_warned_of_and_not_shown(signoff, env, jobstore, tmp_path):
    """Also where the jobstore is from before, and shows it; and however many agents there are."""
    async with serving() as url:
        shown, old = url.replace("//", "//***@"), url.replace("//", "//user:s3cret@")
        for number in range(3):
            jobstore.add_agent(NewAgent(id=f"writer-{number}", name="Writer", url=url))
        jobstore.add_agent(NewAgent(id="shown", name="Shown", url=shown))
        jobstore.add_agent(NewAgent(id="old", name="Old", url=old, enabled=False))
        jobstore.agents_page = 2
        file = tmp_path / "endpoints.json"
        file.write_text(json.dumps({"grpc": env["SIGNOFF_JOBSTORE"], "token": env["SIGNOFF_TOKEN"]}))
        ran = await signoff("doctor", "--json", "--endpoints", str(file))
        told = await signoff("doctor", "--endpoints", str(file))
    warned = {part: check for part, check in checks(ran).items() if check["ok"] and check["remedy"]}
    assert set(warned) == {"agent shown's URL", "agent old's URL", "dead letters"}
    remedy = "signoff agents update old --url <without them> --header Authorization=env:SIGNOFF_AGENT_<NAME>"
    assert remedy in warned["agent old's URL"]["remedy"]
    assert "s3cret" not in ran.out + ran.err + told.out + told.err
    assert "warns  agent old's URL: holds a user or a password" in told.out


async def test_a_console_that_cannot_reach_the_jobstore_is_wrong(signoff):
    async with serving(503) as url:
        found = checks(await signoff("doctor", "--json", "--http", url))
    assert "jobstore" in found["console"]["remedy"]


@pytest.mark.parametrize("code", list(DATABASE_OUTAGES))
async def test_a_database_that_cannot_be_written_is_named_with_what_to_do(signoff, jobstore, code):
    jobstore.outage = code
    ran = await signoff("doctor", "--json")
    found = checks(ran)
    assert (ran.status, found["jobstore"]["ok"], found["token"]["ok"]) == (1, True, True)
    assert DATABASE_OUTAGES[code].what in found["database"]["found"]
    assert found["database"]["remedy"] == DATABASE_OUTAGES[code].remedy


async def test_a_wrong_token_is_found(signoff):
    found = checks(await signoff("doctor", "--json", "--token", "wrong"))
    assert (found["jobstore"]["ok"], found["token"]["ok"]) == (True, False)
    assert "SIGNOFF_TOKEN" in found["token"]["remedy"]


async def test_a_jobstore_that_is_down_is_found(signoff, jobstore_server):
    await jobstore_server.stop()
    ran = await signoff("doctor", "--json")
    assert ran.status == 1
    assert checks(ran)["jobstore"]["found"] == f"nothing listens at {jobstore_server.address}"


async def test_each_of_several_jobstores_is_asked(signoff, env, jobstore_server):
    """What the others know is told all the same."""
    env["SIGNOFF_JOBSTORE"] = f"127.0.0.1:1,{jobstore_server.address}"
    ran = await signoff("doctor", "--json")
    told = [check["ok"] for check in ran.json["checks"] if check["part"] == "jobstore"]
    assert (ran.status, told, checks(ran)["executors"]["ok"]) == (1, [False, True], True)


async def test_a_jobstore_that_ended_by_an_error_says_by_which(signoff, env, tmp_path, gone_pid):
    """As `signoff up` has kept it in its log: the process may be there again, and end again."""
    env["SIGNOFF_JOBSTORE"] = None
    (tmp_path / "logs").mkdir()
    reason = "the database is older than its facts; see docs/operations/backup.md"
    ended = {"message": "the process ends by an error", "code": "database_older_than_facts", "reason": reason}
    (tmp_path / "logs" / "jobstore.log").write_text("a line\n" + json.dumps(ended) + "\n")
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"grpc": "127.0.0.1:1", "data_dir": str(tmp_path), "processes": {"jobstore": gone_pid}}))
    found = checks(await signoff("doctor", "--json", "--endpoints", str(file)))
    words = f"ended by database_older_than_facts: {reason}"
    assert found["jobstore"]["found"] == f"127.0.0.1:1 {words}"
    assert found["process jobstore"]["found"].endswith(words)
    assert str(tmp_path / "logs" / "jobstore.log") in found["jobstore"]["remedy"]


@pytest.mark.usefixtures("env")
async def test_a_question_that_is_not_answered_is_not_the_tokens_fault(signoff, jobstore):
    for name in ("ListAgents", "GetOverview", "ListJudgePolicies", "Diagnose", "GetKept"):
        jobstore.refusals[name] = Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, None, "Deadline Exceeded")
    ran = await signoff("doctor", "--json")
    assert "token" not in checks(ran)
    assert "no question is answered" in checks(ran)["jobstore's answers"]["found"]
    for name in ("ListAgents", "ListJudgePolicies", "Diagnose"):
        del jobstore.refusals[name]
    found = checks(await signoff("doctor", "--json"))
    assert (found["token"]["ok"], found["executors"]["ok"], found["jobstore's answers"]["ok"]) == (True, True, False)


def process(kind="executor", **fields):
    return pb.ProcessState(**{"id": f"{kind}-2", "kind": kind, "version": VERSION, **fields})


def group(**fields):
    return pb.GroupState(group="signoff-executor", topic="execute-requested", members=2, **fields)


STRANGER = pb.StrangeMember(id="x", client="thief", host="/10.0.0.9", partitions=7)


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize(
    ("about", "part", "found", "remedy"),
    [
        (
            {"unpublished": 7, "unpublished_s": 31},
            "facts",
            "7 are not published, the oldest of 31 s ago",
            "wrong_secrets",
        ),
        ({"unclaimed": 3}, "waiting", "3 executions were offered again and again, and nobody takes them", "executors"),
        ({"turn_s": 16}, "waiting", "what nothing holds back has not begun for 16 s", "dispatcher"),
        ({"groups_error": "no answer"}, "consumer groups", "cannot ask Kafka how they stand: no answer", "broker"),
        ({"processes": [process(version="9.9")]}, "versions", "9.9: executor executor", "upgrading.md"),
        (
            {"processes": [process(clock_ahead_s=3_600.0), process("validator", clock_ahead_s=-60.0)]},
            "clocks",
            "executor executor is 3600 s ahead, validator validato is 60 s behind",
            "NTP",
        ),
        ({"at": {"seconds": 1_000_000_000}}, "clocks", "this machine is", "NTP"),
        (
            {"groups": [group(strangers=[STRANGER])]},
            "group signoff-executor",
            "a member is no process of Signoff: thief at 10.0.0.9 with 7 partitions",
            "end it",
        ),
        (
            {"groups": [group(unread=20, stalled_partitions=3, stalled_s=41.0)]},
            "group signoff-executor",
            "20 records of execute-requested to read; 3 partitions have not moved for 41 s although",
            "log",
        ),
    ],
)
async def test_what_the_jobstore_knows_to_be_wrong_is_told_with_a_remedy(signoff, jobstore, about, part, found, remedy):
    jobstore.diagnosis.MergeFrom(pb.DiagnoseResponse(**about))
    ran = await signoff("doctor", "--json")
    check = checks(ran)[part]
    assert (ran.status, check["ok"]) == (1, False)
    assert found in check["found"]
    assert remedy in check["remedy"]
    assert "checks failed" in (await signoff("doctor")).out


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize("kind", ["executor", "validator"])
async def test_workers_are_known_by_their_last_sign_of_life(signoff, jobstore, kind):
    """One that is silent is wrong where it is the only one, and else a warning; one that was stopped is neither."""
    others = [each for each in jobstore.diagnosis.processes if each.kind != kind]
    part, silent = f"{kind}s", process(kind, id="12345678-9", silent_s=41.0)

    async def told(*processes):
        del jobstore.diagnosis.processes[:]
        jobstore.diagnosis.processes.extend([*others, *processes])
        check = checks(await signoff("doctor", "--json"))[part]
        return check["ok"], check["found"], bool(check["remedy"])

    assert await told() == (False, "none is heard of", True)
    assert await told(silent) == (False, "none is heard of; last heard of: 12345678 41 s ago", True)
    found = "1, with room for 3 more; no longer heard of: 12345678 41 s ago"
    assert await told(process(kind, room=3), silent) == (True, found, True)
    stopped = process(kind, silent_s=41.0, ends=True)
    assert await told(process(kind, room=3), stopped) == (True, "1, with room for 3 more", False)


@pytest.mark.usefixtures("env")
async def test_what_bounds_workers_is_told(signoff, jobstore):
    others = [each for each in jobstore.diagnosis.processes if each.kind != "validator"]

    async def told(*reported):
        del jobstore.diagnosis.processes[:]
        jobstore.diagnosis.processes.extend([*others, *(process("validator", **each) for each in reported)])
        check = checks(await signoff("doctor", "--json"))["validators"]
        return check["found"], check["remedy"], check["ok"]

    by_memory = {"room": 90, "capacity": 4_096, "bound": "memory", "partitions": 4}
    memory = "their memory (SIGNOFF_WORK_MAX_BYTES)"
    assert await told(by_memory, by_memory) == (f"2, with room for 180 more of 8192, by {memory}", "", True)
    asked = {"capacity": 200, "bound": "setting", "partitions": 4, "paced": 7}
    found = (
        f"2, with room for 90 more of 4296, by {memory}, SIGNOFF_CAPACITY; "
        "7 asks wait for the pace that their judge's server takes"
    )
    assert await told(by_memory, asked) == (found, "", True)
    found, remedy, ok = await told({**by_memory, "bound": "files"}, {**by_memory, "room": 0, "partitions": 0})
    assert found.endswith(
        f"by the files that they may open (ulimit -n), {memory}; 1 read no partition, and are offered nothing"
    )
    assert ("SIGNOFF_WORK_PARTITIONS" in remedy, ok) == (True, True)


@pytest.mark.usefixtures("env")
async def test_what_waits_and_dead_letters_are_told(signoff, jobstore):
    jobstore.waiting_sums = [WaitingSum(code="limit_paused", name="tenant:a", count=12, owner="operator", remedy="x")]
    found = checks(await signoff("doctor", "--json"))
    assert found["waiting"]["found"] == "`signoff explain` says what lifts it: 12 limit_paused tenant:a"
    assert (found["dead letters"]["found"], "signoff dlq" in found["dead letters"]["remedy"]) == ("2 in a-dlq", True)
    jobstore.dead_letters = {"a-dlq": 0}
    assert checks(await signoff("doctor", "--json"))["dead letters"]["found"] == "none"


async def test_a_full_disk_and_a_stopped_process_are_found(signoff, env, tmp_path):
    stopped = await asyncio.create_subprocess_exec("sleep", "60")
    stopped.send_signal(signal.SIGSTOP)
    await until(lambda: psutil.Process(stopped.pid).status() == psutil.STATUS_STOPPED)
    file = tmp_path / "endpoints.json"
    endpoints = {"grpc": env["SIGNOFF_JOBSTORE"], "data_dir": "/proc", "processes": {"executor": stopped.pid}}
    file.write_text(json.dumps(endpoints))
    found = checks(await signoff("doctor", "--json", "--endpoints", str(file)))
    stopped.kill()
    await stopped.wait()
    assert (found["disk"]["ok"], found["disk"]["found"]) == (False, "0.0 GiB free for /proc")
    assert found["process executor"]["found"] == f"pid {stopped.pid} is stopped (SIGSTOP), and does nothing"
    assert found["process executor"]["remedy"] == f"kill -CONT {stopped.pid}"


@pytest.mark.usefixtures("env")
async def test_a_service_that_is_not_ready_or_answers_nothing_is_found(signoff, tmp_path):
    async def say_unready(_):
        return web.json_response({"reasons": {"consuming": "one batch has waited for 70 s"}}, status=503)

    async def hang(_):
        await asyncio.Event().wait()

    async def say_ready(_):
        return web.json_response({"reasons": {}})

    async def say_stalled(_):
        return web.json_response({"reasons": {}, "advice": {"receiver": "takes nothing for 35 s: status 503"}})

    async with AsyncExitStack() as stack:
        handlers = (say_unready, hang, say_ready, say_stalled)
        urls = [await stack.enter_async_context(answering({"/readyz": handler})) for handler in handlers]
        file = tmp_path / "endpoints.json"
        names = ("executor", "validator", "console", "traces")
        metrics = {name: f"{url}/metrics" for name, url in zip(names, urls, strict=True)}
        file.write_text(
            json.dumps({"grpc": "127.0.0.1:1", "metrics": metrics, "processes": dict.fromkeys(names, os.getpid())})
        )
        found = checks(await signoff("doctor", "--json", "--endpoints", str(file)))
    assert found["process executor"]["found"].endswith("is not ready: consuming: one batch has waited for 70 s")
    assert found["process validator"]["found"].endswith("runs, and answers nothing within 3 s")
    assert found["process console"]["found"] == f"pid {os.getpid()}, metrics at {urls[2]}/metrics"
    stalled = found["process traces"]
    assert stalled["found"].endswith("runs, and its receiver takes nothing for 35 s: status 503")
    assert not stalled["ok"]
    assert "SIGNOFF_OTLP_ENDPOINT" in stalled["remedy"]


async def test_the_answer_comes_within_ten_seconds_though_all_is_silent(signoff, env, tmp_path):
    """Whatever takes connections and answers nothing, as what is frozen does."""
    env["SIGNOFF_JOBSTORE"] = None
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(listening()) for _ in range(4)]
        file = tmp_path / "endpoints.json"
        addresses = {"grpc": urls[0], "kafka": urls[1], "http": f"http://{urls[2]}", "judge": f"http://{urls[3]}"}
        file.write_text(json.dumps(addresses))
        began = time.monotonic()
        ran = await signoff("doctor", "--json", "--endpoints", str(file))
        took_s = time.monotonic() - began
    assert took_s < 10
    assert {"jobstore", "kafka", "console", "judge"} <= {part for part, check in checks(ran).items() if not check["ok"]}
    assert "takes connections, and answers nothing" in checks(ran)["jobstore"]["found"]


GIB = 1 << 30


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize(
    ("state", "ok", "found", "remedy"),
    [
        ({"used_bytes": 40 * GIB}, True, "40% full, 60.0 GiB left", False),
        (
            {"used_bytes": 85 * GIB, "growth_bytes_per_day": 5 * GIB, "refused_in_days": 2},
            True,
            "85% full, 15.0 GiB left; it grows by 5.0 GiB a day, so that no new work is taken in about 2.0 days",
            True,
        ),
        (
            {"used_bytes": 40 * GIB, "growth_bytes_per_day": -GIB},
            True,
            "40% full, 60.0 GiB left; it grows by -1.0 GiB a day",
            False,
        ),
        (
            {"used_bytes": 96 * GIB, "is_full": True},
            False,
            "96% full, 4.0 GiB left; no new work is taken (`storage_full`)",
            True,
        ),
    ],
    ids=["roomy", "soon", "shrinks", "full"],
)
async def test_it_says_how_full_storages_are_and_when_no_new_work_is_taken(signoff, jobstore, state, ok, found, remedy):
    jobstore.diagnosis.storages.append(pb.StorageState(name="disk /data", total_bytes=100 * GIB, **state))
    check = checks(await signoff("doctor", "--json"))["storage disk /data"]
    assert (check["ok"], check["found"], bool(check["remedy"])) == (ok, found, remedy)


REQUESTS, FACTS = TOPICS["execute-requested"], TOPICS["job-changed"]


@pytest.mark.parametrize(
    ("topic", "changed", "wrong"),
    [
        (REQUESTS, {}, ""),
        (REQUESTS, {"retention.ms": "600000", "segment.ms": "60000"}, ""),
        (REQUESTS, {"retention.ms": "700000000"}, "retention.ms is 700000000, not 604800000"),
        (REQUESTS, {"retention.ms": "-1"}, "retention.ms is -1, not 604800000"),
        (REQUESTS, {"max.message.bytes": "9"}, "max.message.bytes is 9, not 8388608"),
        (TOPICS["execute-requested-dlq"], {"retention.bytes": str(5 << 30)}, ""),
        (FACTS, {"retention.ms": "600000"}, "retention.ms is 600000, not -1"),
        (FACTS, {"segment.ms": "60000"}, ""),
    ],
    ids=["as-made", "shorter", "longer", "for-ever", "smaller", "more-letters", "facts", "facts-that-go-early"],
)
def test_a_topic_may_keep_less_than_the_catalogue_says_and_facts_may_not(topic, changed, wrong):
    state = TopicState(topic.partitions, 1, topic.list_settings(1) | changed)
    check = check_topic(topic, state)
    assert (check.ok, check.found) == (not wrong, wrong or f"{topic.partitions} partitions")


AT = datetime(2026, 5, 1, tzinfo=UTC)
WHOLE = KeptArchive(is_configured=True, parts=7, bytes=3 << 30)


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        (
            Kept(at=AT),
            [("archive", True, "none is configured", ""), ("retention", True, "off: all is kept for ever", "")],
        ),
        (
            Kept(at=AT, is_on=True, archive=WHOLE, removed=9),
            [
                ("archive", True, "7 parts, 3.0 GiB", ""),
                ("retention", True, "on: 0 jobs and operations are due now, 9 jobs were removed", ""),
            ],
        ),
        (
            Kept(at=AT, archive=WHOLE, kept_back=[KeptBack(code="archive_failed", message="changed", remedy="mend")]),
            [("archive", False, "changed", "mend"), ("retention", True, "off: all is kept for ever", "")],
        ),
        (
            Kept(
                at=AT,
                is_on=True,
                kept_back=[
                    KeptBack(code="no_archive", message="none", remedy="set it"),
                    KeptBack(code="job_held", count=2, message="2 are held", remedy="release them"),
                ],
            ),
            [("archive", True, "none", "set it"), ("retention", True, "2 are held", "release them")],
        ),
        (
            Kept(
                at=AT,
                archive=WHOLE,
                kept_back=[
                    KeptBack(code="group_behind", message=f"{group} has not read 7", remedy="let it go on")
                    for group in ("crm", "traces")
                ],
            ),
            [
                ("archive", True, "7 parts, 3.0 GiB", ""),
                ("readers of facts", True, "crm has not read 7", "let it go on"),
                ("readers of facts", True, "traces has not read 7", "let it go on"),
                ("retention", True, "off: all is kept for ever", ""),
            ],
        ),
    ],
    ids=["off", "on", "an archive that fails", "kept back", "groups that are behind"],
)
async def test_what_keeps_removal_back_is_told_with_what_helps(signoff, jobstore, kept, found):
    jobstore.kept = kept
    parts = {"archive", "readers of facts", "retention"}
    told = [each for each in (await signoff("doctor", "--json")).json["checks"] if each["part"] in parts]
    assert [(each["part"], each["ok"], each["found"], each.get("remedy", "")) for each in told] == found


async def test_an_older_jobstore_that_removes_nothing_is_no_finding(signoff, jobstore):
    jobstore.refusals["GetKept"] = Refusal(grpc.StatusCode.UNIMPLEMENTED, None, "no such call")
    told = {each["part"] for each in (await signoff("doctor", "--json")).json["checks"]}
    assert told.isdisjoint({"archive", "retention", "jobstore's answers"})
