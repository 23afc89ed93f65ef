"""A life is seen in metrics, which name nobody, and in lines of logs, which name it and hold nothing of it."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from support.prometheus import need
from support.system import WAIT_S, Agent, System

from contracts.traceparent import find_own
from signoff import SignoffError

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
ENDED = 'signoff_executions_ended_total{status="completed"}'
EXECUTORS = 'signoff_processes{kind="executor"}'
WORD = "kestrel"
PIPES = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)


async def scrape(system: System) -> dict[str, str]:
    """By process, what it shows."""
    shown = {}
    for name, url in system.endpoints["metrics"].items():
        async with system.http.get(url) as answer:
            assert answer.status == 200
            shown[name] = await answer.text()
    return shown


def read(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def read_lines(folder: Path) -> dict[str, list[dict[str, object]]]:
    """By process, the lines of its log."""
    texts = {file.stem: file.read_text().splitlines() for file in folder.glob("*.log")}
    return {name: [json.loads(line) for line in each if line.startswith("{")] for name, each in texts.items()}


async def test_a_life_is_seen_in_metrics_that_name_nobody(system: System) -> None:
    before = (await scrape(system))["jobstore"]
    once = {"reuse_verdict": False}
    job = await system.create(policy=once, payload={"word": WORD}, labels={"of": WORD})
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)

    series = (ENDED, *(f"signoff_{name}_seconds_count" for name in ("execution", "agent_call", "judging")))
    async with asyncio.timeout(WAIT_S):
        now = before
        while not all(read(now, each) > read(before, each) for each in series) or not read(now, EXECUTORS):
            await asyncio.sleep(0.2)
            now = (await scrape(system))["jobstore"]
    shown = await scrape(system)
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
    for name, text in shown.items():
        families = list(text_string_to_metric_families(text))
        names = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
        assert names <= documented, name
        assert "signoff_build_info" in names
        assert sum(len(each.samples) for each in families) < 5_000
        assert not re.search(rf"{WORD}|{job.id}|\bagent=|\btenant=|\b{job.tenant}\b", text), name
    assert 'signoff_grpc_requests_total{code="OK",method="signoff.v1.JobService/CreateJob"}' in shown["jobstore"]


async def test_promtool_has_nothing_to_say(system: System) -> None:
    promtool = await asyncio.to_thread(need, "promtool")
    for name, text in (await scrape(system)).items():
        checking = await asyncio.create_subprocess_exec(promtool, "check", "metrics", **PIPES)
        said = await checking.communicate(text.encode())
        assert (checking.returncode, *said) == (0, b"", b""), name


async def test_lines_of_work_that_is_cut_short_or_refused_name_its_trace(system: System, agent: Agent) -> None:
    asked, job, done = asyncio.Event(), await system.create(), await system.create()

    async def hang(_: object) -> None:
        asked.set()
        await asyncio.sleep(WAIT_S)

    agent.answers[job.id] = hang
    execution = await system.client.execute_job(job.id)
    await asked.wait()
    await system.client.cancel_execution(execution.id)
    ended = await system.client.execute_job(done.id)
    await system.at_rest(done.id)
    with pytest.raises(SignoffError):
        await system.client.cancel_execution(ended.id)
    aborted, refused = ("executor", "work aborted", job.id), ("jobstore", "refused; nothing is recorded", done.id)
    found = dict[tuple[str, object, object], dict[str, object]]()
    async with asyncio.timeout(WAIT_S):
        while not {aborted, refused} <= set(found):
            lines = read_lines(Path(system.endpoints["data_dir"], "logs"))
            of_all = [(name, line) for name, each in lines.items() for line in each]
            found = {(name, line.get("message"), line.get("job_id")): line for name, line in of_all}
            await asyncio.sleep(0.1)
    for line, its in ((found[aborted], str(execution.id)), (found[refused], str(ended.id))):
        assert (line["execution_id"], line["trace_id"]) == (its, find_own(None, its).trace_id)


async def test_lines_about_a_job_name_it_and_its_execution_and_hold_nothing_of_it(system: System, agent: Agent) -> None:
    job = await system.create(payload={"word": WORD}, policy={"max_calls": 1})
    agent.answers[job.id] = lambda _: web.json_response({"text": WORD}, status=500)
    await system.client.execute_job(job.id)
    ended = await system.at_rest(job.id)
    lines = read_lines(Path(system.endpoints["data_dir"], "logs"))
    (failed,) = [line for line in lines["executor"] if line.get("job_id") == job.id]
    assert (failed["message"], failed["execution_id"]) == ("agent failed", str(ended.execution_id))
    assert failed["trace_id"] == find_own(None, str(ended.execution_id)).trace_id
    for name, of_process in lines.items():
        of_job = [line for line in of_process if job.id in json.dumps(line)]
        assert all(line.get("job_id") == job.id for line in of_job), name
        assert WORD not in json.dumps(of_process), name
