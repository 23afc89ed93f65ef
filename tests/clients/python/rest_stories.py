"""The stories over REST, with the client that openapi-python-client makes."""

import json
import os
from collections.abc import Generator
from typing import Any, TypeVar

from signoff_client import AuthenticatedClient
from signoff_client.api.agents import create_agent, pause_agent, resume_agent
from signoff_client.api.batches import create_batch, get_batch, list_batch_items
from signoff_client.api.jobs import cancel_job, create_job, edit_job, execute_job, explain_job, get_job, list_jobs
from signoff_client.models import (
    Agent,
    Execution,
    Job,
    JobPage,
    JobPatch,
    NewAgent,
    NewBatch,
    NewJob,
    Operation,
    OperationItemPage,
    Problem,
    SavedJob,
    Verdict,
    Waiting,
)
from signoff_client.types import UNSET, Unset
from telling import new_id, run, until

R = TypeVar("R")
CLIENT = AuthenticatedClient(os.environ["SIGNOFF_HTTP"], os.environ["SIGNOFF_TOKEN"], raise_on_unexpected_status=True)
AGENT_URL = os.environ["STORIES_AGENT_URL"]


def as_(kind: type[R], answer: object) -> R:
    """Return an answer that must be of a kind."""
    assert isinstance(answer, kind), answer
    return answer


def new_job(payload: dict[str, Any] | None = None, agent_id: str = "writer") -> NewJob:
    text = {"text": "blue"} if payload is None else payload
    return NewJob(title="A story", acceptance_criteria='Says "blue"', agent_id=agent_id, payload=text, id=new_id())


def make(payload: dict[str, Any] | None = None, agent_id: str = "writer") -> str:
    return as_(SavedJob, create_job.sync(client=CLIENT, body=new_job(payload, agent_id))).id


def read(job_id: str) -> Job:
    return as_(Job, get_job.sync(job_id, client=CLIENT))


def wait(job_id: str, status: str) -> Job:
    return until(lambda: read(job_id), lambda job: job.status == status)


def job_runs() -> None:
    job_id = make()
    as_(Execution, execute_job.sync(job_id, client=CLIENT))
    job = wait(job_id, "COMPLETED")
    assert "blue" in json.dumps(job.result)
    verdict = as_(Verdict, job.verdict)
    assert verdict.is_valid
    assert [each.outcome for each in verdict.criteria] == ["pass"]


def key_repeats() -> None:
    job_id, key = make(), new_id()
    first, again = (execute_job.sync_detailed(job_id, client=CLIENT, idempotency_key=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert as_(Execution, first.parsed).id == as_(Execution, again.parsed).id


def unknown_member() -> None:
    body = new_job().to_dict() | {"agent": "writer"}
    answer = CLIENT.get_httpx_client().post("/api/jobs", json=body)
    problem = Problem.from_dict(answer.json())
    assert (answer.status_code, problem.code) == (422, "invalid_request")
    assert not isinstance(problem.errors, Unset)
    assert [each.pointer for each in problem.errors] == ["#/agent"]


def stale_edit() -> None:
    job_id = make()
    as_(SavedJob, edit_job.sync(job_id, client=CLIENT, body=JobPatch(title="New"), if_match='"1"'))
    stale = as_(Problem, edit_job.sync(job_id, client=CLIENT, body=JobPatch(title="Newer"), if_match='"1"'))
    assert (stale.status, stale.code) == (412, "version_conflict")
    assert read(job_id).title == "New"


def pages() -> None:
    team = new_id()
    made = set()
    for _ in range(5):
        new = NewJob.from_dict(new_job().to_dict() | {"labels": {"team": team}})
        made.add(as_(SavedJob, create_job.sync(client=CLIENT, body=new)).id)
    token: str | Unset = UNSET
    found = list[str]()
    sizes = list[int]()
    while True:
        page = as_(JobPage, list_jobs.sync(client=CLIENT, label=[f"team:{team}"], page_size=2, page_token=token))
        found += [job.id for job in page.items]
        sizes.append(len(page.items))
        if isinstance(page.next_page_token, Unset):
            break
        token = page.next_page_token
    assert (set(found), sizes) == (made, [2, 2, 1])


def events(job_id: str, last: str | None) -> Generator[tuple[str, dict[str, Any]]]:
    headers = {} if last is None else {"Last-Event-ID": last}
    place, name = "", ""
    with CLIENT.get_httpx_client().stream("GET", f"/api/jobs/{job_id}/events", headers=headers, timeout=60) as stream:
        for line in stream.iter_lines():
            field, _, value = line.partition(": ")
            place, name = (value, name) if field == "id" else (place, value if field == "event" else name)
            if field == "data" and name in {"hello", "job-changed"}:
                yield place, json.loads(value)


def watch_resumes() -> None:
    job_id = make()
    live = events(job_id, None)
    place, _ = next(live)
    execute_job.sync(job_id, client=CLIENT)
    place, first = next(live)
    live.close()
    versions = [first["version"]]
    for _, change in events(job_id, place):
        versions.append(change["version"])
        if change["job"]["status"] == "COMPLETED":
            break
    assert versions == [*range(versions[0], versions[-1] + 1)]


def batch_of_twenty() -> None:
    batch = as_(Operation, create_batch.sync(client=CLIENT, body=NewBatch(jobs=[new_job() for _ in range(20)])))
    assert batch.total == 20
    until(lambda: as_(Operation, get_batch.sync(str(batch.id), client=CLIENT)), lambda each: each.state == "DONE")
    token: str | Unset = UNSET
    outcomes = list[list[str]]()
    while not outcomes or not isinstance(token, Unset):
        answer = list_batch_items.sync(str(batch.id), client=CLIENT, page_size=8, page_token=token)
        page = as_(OperationItemPage, answer)
        outcomes.append([item.outcome for item in page.items])
        token = page.next_page_token
    assert outcomes == [["COMPLETED"] * size for size in (8, 8, 4)]


def cancel() -> None:
    job_id = make({"agent": {"delay_s": 60}})
    execute_job.sync(job_id, client=CLIENT)
    wait(job_id, "IN_PROGRESS")
    as_(Job, cancel_job.sync(job_id, client=CLIENT))
    assert until(lambda: read(job_id), lambda job: job.live is False).cancelled


def failure_says_why() -> None:
    job_id = make({"agent": {"status": 422}})
    execute_job.sync(job_id, client=CLIENT)
    job = wait(job_id, "FAILED")
    assert job.code == "agent_status"
    assert as_(Waiting, explain_job.sync(job_id, client=CLIENT)).reasons == []


def agent_is_paused() -> None:
    agent = as_(Agent, create_agent.sync(client=CLIENT, body=NewAgent(id=new_id(), name="Story", url=AGENT_URL)))
    assert as_(Agent, pause_agent.sync(agent.id, client=CLIENT)).paused
    job_id = make(agent_id=agent.id)
    execute_job.sync(job_id, client=CLIENT)
    waiting = until(lambda: as_(Waiting, explain_job.sync(job_id, client=CLIENT)), lambda each: bool(each.reasons))
    assert [reason.code for reason in waiting.reasons] == ["limit_paused"]
    assert not as_(Agent, resume_agent.sync(agent.id, client=CLIENT)).paused
    wait(job_id, "COMPLETED")


with CLIENT:
    run(
        job_runs,
        key_repeats,
        unknown_member,
        stale_edit,
        pages,
        watch_resumes,
        batch_of_twenty,
        cancel,
        failure_says_why,
        agent_is_paused,
    )
