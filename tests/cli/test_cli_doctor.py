"""The doctor finds what is wrong, and only that."""

import asyncio
import json
import os
from contextlib import asynccontextmanager

import aiohttp
import grpc
import pytest
from aiohttp import web
from support.fake_operations import Refusal

from contracts.resources import NewAgent
from servicekit.outages import DATABASE_OUTAGES
from signoff.v1.judge_service_pb2 import Validator


@asynccontextmanager
async def serving(status=200):
    async def health(_):
        return web.json_response({"status": "ok"}, status=status)

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
        "agent writer", "judge",
    }  # fmt: skip
    assert found["kafka"]["remedy"]


@pytest.mark.usefixtures("env")
async def test_validators_that_are_set_differently_are_named(signoff, jobstore):
    one, other, silent = (Validator(owner=name, judge=judge) for name, judge in VALIDATORS)
    jobstore.validators = [one]
    assert checks(await signoff("doctor", "--json"))["validators"]["found"] == "1 judge by default@1"
    jobstore.validators = [one, other, silent]
    check = checks(await signoff("doctor", "--json"))["validators"]
    assert check["found"] == "they are set differently: default@1: a; default@2: b; unknown: c"
    assert (check["ok"], "signoff judges diff default" in check["remedy"]) == (True, True)
    jobstore.refusals["ListJudgePolicies"] = Refusal(grpc.StatusCode.UNIMPLEMENTED, None)
    assert "validators" not in checks(await signoff("doctor", "--json")), "an older jobstore knows nothing of it"


@pytest.mark.usefixtures("env")
@pytest.mark.parametrize("signed", [False, True])
async def test_it_says_whether_who_asks_by_a_topic_must_sign(signoff, jobstore, signed):
    jobstore.upstreams_sign = signed
    found = checks(await signoff("doctor", "--json"))
    assert "'2026-11'" in found["secrets"]["found"]
    check = found["upstreams"]
    assert check["ok"]
    assert check["found"].startswith("signed: " if signed else "open: ")


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
    assert set(warned) == {"agent shown's URL", "agent old's URL"}
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


async def test_a_jobstore_that_is_down_is_found(signoff, jobstore_server):
    await jobstore_server.stop()
    ran = await signoff("doctor", "--json")
    assert ran.status == 1
    assert not checks(ran)["jobstore"]["ok"]
