"""The jobs of the world: each under other terms."""

from typing import Any

from support.jobstore.steps import new_job

from contracts.resources import NewJob

JOBS: dict[str, dict[str, Any]] = {
    "job-0": {},
    "job-1": {"policy": {"delivery": "at_most_once"}, "priority": 7},
    "job-2": {"policy": {"deadline_s": 100_000.0, "max_submissions": 2, "max_calls": 2}, "payload": {"n": 2**70}},
    "job-3": {"agent_id": None, "policy": {"budget_tokens": 25}},
    "job-4": {
        "agent_id": None,
        "capabilities": ["able"],
        "policy": {"resubmit": "automatic", "max_submissions": 4, "hand_over_after": 1},
    },
    "job-6": {"agent_id": "shows-work", "policy": {"delivery": "at_most_once"}},
    "job-5": {"agent_id": None, "capabilities": ["able", "of no agent"]},
}


def spec(job_id: str) -> NewJob:
    return new_job(**JOBS[job_id])


def at_most_once(job_id: str) -> bool:
    return bool(JOBS[job_id].get("policy", {}).get("delivery") == "at_most_once")
