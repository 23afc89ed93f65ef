"""What the pages of kept pictures read: the examples of the API, and in their place what shows more of a page."""

import json
import re
from copy import deepcopy
from typing import Any, Final

from visitor import ROOT

#: When the pictures are taken.
NOW: Final = "2026-05-01T12:03:20Z"
_PATHS: Final = json.loads((ROOT / "services/console/web/openapi.json").read_text("utf-8"))["paths"]


def _example(path: str) -> Any:
    return _PATHS[path]["get"]["responses"]["200"]["content"]["application/json"]["example"]


_JOB: Final = _example("/api/jobs/{job_id}")
_TITLES: Final = ("Translate the contract of lease", "Summarise the minutes of the board", "Extract the invoice lines")
_ODD: Final = ("تلخيص محضر الاجتماع", "A title " + "that goes on " * 12, "<b>no markup</b> & 'quotes'")
_STATUSES: Final = (
    "PENDING", "ASSIGNED", "IN_PROGRESS", "COMPLETED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED",
)  # fmt: skip
_CRITERIA: Final = (
    ("Names both quays", "pass", "The **north quay** is sound; the south quay is cracked."),
    ("Says what the repair costs in EUR", "fail", None),
    ("Cites the harbour law", "cannot_assess", None),
    ("Is not empty", "pass", "Harbour inspection"),
)
_RESULT: Final = """# Harbour inspection

The **north quay** is sound; the south quay is cracked.

| quay | state |
| --- | --- |
| north quay | sound |
| south quay | cracked |

- [x] walk both quays
- [ ] ask a builder

```python
quays = {"north": "sound", "south": "cracked"}
```
"""


def _job(number: int, **fields: Any) -> dict[str, Any]:
    """One of the many jobs of the list."""
    status = _STATUSES[number % len(_STATUSES)]
    job = {**deepcopy(_JOB), "id": f"job-{number}", "title": (*_TITLES, *_ODD)[number % 6], "status": status}
    job |= {"live": status == "IN_PROGRESS", "submission": 1 + number % 3, "cost_usd": f"0.{number:04}"}
    for name in ("result", "verdict", "result_version"):
        job.pop(name, None)
    return job | fields


_VERDICT: Final = {
    "is_valid": False,
    "reason": "2 of 4 criteria are met",
    "criteria": [
        {
            "text": text,
            "outcome": outcome,
            "required": True,
            "kind": "meets",
            "evidence": [quote] if quote else [],
            "comment": "" if quote else "nothing in the result says so",
        }
        for text, outcome, quote in _CRITERIA
    ],
    "judge": "strict@3",
}
_INSPECTION: Final = _job(6, id="inspection", title="Inspect the harbour of Grimsby") | {
    "description": "Walk **both quays**, note the state of each, and say what a repair costs.",
    "acceptance_criteria": "\n".join(text for text, _, _ in _CRITERIA),
    "criteria": [{"text": text, "required": True, "kind": "meets"} for text, _, _ in _CRITERIA],
    "result": _RESULT,
    "verdict": _VERDICT,
    "result_version": 5,
    "version": 5,
}
_FAILED: Final = _job(4, id="failed", title="Extract the invoice lines", version=5)
_JOBS: Final = {"inspection": _INSPECTION, "failed": _FAILED}
_LOG: Final = _example("/api/jobs/{job_id}/logs")["items"][0]


def _logs_of(job: dict[str, Any]) -> dict[str, Any]:
    entry = {**_LOG, "job_id": job["id"], "status": job["status"], "job_status": job["status"], "version": 5}
    entry.pop("verdict")
    if "verdict" in job:
        return {"items": [{**entry, "verdict": job["verdict"], "kind": "not_met", "result": job["result"]}]}
    return {"items": [{**entry, "kind": "failed", "code": "agent_timeout", "message": "no answer within 30 s"}]}


#: Answers by the address, the first that matches; `items` is a page of them.
_OWN: Final[tuple[tuple[str, Any], ...]] = (
    (r"/api/jobs", {"items": [_job(number) for number in range(40)]}),
    *((rf"/api/jobs/{name}", job) for name, job in _JOBS.items()),
    *((rf"/api/jobs/{name}/logs", _logs_of(job)) for name, job in _JOBS.items()),
    (r"/api/jobs/\w+/waiting", {"reasons": []}),
    (r"/api/me", {**_example("/api/me"), "role": "administrator", "all_tenants": True, "tenants": []}),
)
_EXAMPLES: Final = tuple(
    (re.sub(r"\{\w+\}", r"[^/]+", path), _example(path))
    for path, item in _PATHS.items()
    if "application/json" in item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
    and "example" in item["get"]["responses"]["200"]["content"]["application/json"]
)


def find_answer(path: str) -> Any:
    """Return what a read at this path answers; None where nothing is kept for it."""
    answer = next((answer for pattern, answer in (*_OWN, *_EXAMPLES) if re.fullmatch(pattern, path)), None)
    if isinstance(answer, dict) and "may" in answer:
        return answer | {"may": [item[verb]["operationId"] for item in _PATHS.values() for verb in item]}
    return answer
