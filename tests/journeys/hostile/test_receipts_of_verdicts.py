"""Who is handed a result wants to know that it was judged: a receipt says so, and a forged one does not pass."""

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

import aiohttp
from aiohttp import web
from support.system import Agent, System, signoff

from signoff.status import JobStatus


async def verified(folder: Path, *arguments: str) -> tuple[int, str]:
    """How `signoff receipt verify` ends for somebody who has no Signoff, and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "receipt", "verify", *arguments, "--json"),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_receipt_is_verified_by_strangers_and_a_forged_one_refused(
    system: System, agent: Agent, tmp_path: Path
) -> None:
    """A job is completed at its second submission; receipt, keys and result are all that somebody else needs."""
    job = await system.create(policy={"resubmit": "automatic"}, tenant="press")
    agent.answers[job.id] = lambda body: {"text": "blue" if body["feedback"] else "red"}
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    await signoff(system, "receipt", job.id, "--out", str(tmp_path / "receipt.json"))

    async with aiohttp.ClientSession(system.endpoints["http"]) as stranger:
        async with stranger.get("/api/receipt-keys") as answer:
            (tmp_path / "keys.json").write_bytes(await answer.read())
        async with stranger.get(f"/api/jobs/{job.id}/receipt") as answer:
            assert answer.status == 401
    (tmp_path / "result.json").write_text('{"text": "blue"}')
    status, told = await verified(tmp_path, "receipt.json", "--keys", "keys.json", "--result", "result.json")
    assert status == 0, told
    stated = json.loads(told)["statement"]["predicate"]
    assert (stated["job_id"], stated["tenant"], stated["submission"]) == (job.id, "press", 2)
    assert (stated["is_valid"], [one["outcome"] for one in stated["criteria"]]) == (True, ["pass", "pass"])

    # The one of the submission before says what it was, and is not that of the result.
    async with system.http.get(f"/api/jobs/{job.id}/receipt", params={"submission": 1, "view": "basic"}) as answer:
        (tmp_path / "first.json").write_bytes(await answer.read())
    status, told = await verified(tmp_path, "first.json", "--keys", "keys.json")
    assert (status, json.loads(told)["statement"]["predicate"]["is_valid"], "Says" in told) == (0, False, False), told
    status, told = await verified(tmp_path, "first.json", "--keys", "keys.json", "--result", "result.json")
    assert (status, "other_result" in told) == (1, True), told

    # Whoever makes an acceptance of it has no key to sign that with.
    forged = json.loads((tmp_path / "first.json").read_text())
    payload = base64.b64decode(forged["payload"]).replace(b'"is_valid":false', b'"is_valid":true')
    forged["payload"] = base64.b64encode(payload).decode()
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    status, told = await verified(tmp_path, "forged.json", "--keys", "keys.json")
    assert (status, "bad_signature" in told) == (1, True), told


async def test_a_job_that_ended_without_a_verdict_has_no_receipt(system: System, agent: Agent) -> None:
    """A job that failed was never judged, and nothing is stated of it."""
    job = await system.create(policy={"max_calls": 1})
    agent.answers[job.id] = lambda _: web.Response(status=400)
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.FAILED
    async with system.http.get(f"/api/jobs/{job.id}/receipt") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "no_verdict")
