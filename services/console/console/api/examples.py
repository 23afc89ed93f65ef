"""Examples of the bodies of requests and answers, by the name of their schema; a test holds them against it."""

from typing import Any, Final

_AT: Final = "2026-05-01T12:00:00.000000Z"
_LATER: Final = "2026-05-01T12:00:07.250000Z"
_EXECUTION_ID: Final = "8f2c8a52-8c3e-4c7e-9d5c-0f6f3a7d2b10"
_OPERATION_ID: Final = "1b6d3c1e-2f0a-4b7e-8a53-6a4f0f1f9c22"
_COST: Final = "0.0123"
_PAYLOAD: Final = {"topic": "rain"}
_CRITERIA: Final = "It has eight lines\nnever: It names a brand\noptional: It rhymes"
_CRITERION: Final = {"text": "It has eight lines", "required": True, "kind": "meets"}
_POLICY: Final = {"max_submissions": 3, "deadline_s": 600, "judge": "strict@3"}
_VERDICT: Final = {
    "is_valid": True,
    "reason": "1 of 1 criteria are met",
    "criteria": [
        {
            "text": "It has eight lines",
            "outcome": "pass",
            "required": True,
            "kind": "meets",
            "evidence": ["Rain on the roof"],
            "comment": "there are eight",
        }
    ],
    "judge": "strict@3",
}
_JOB: Final[dict[str, Any]] = {
    "id": "poem-1",
    "title": "A poem about rain",
    "description": "",
    "acceptance_criteria": "It has eight lines",
    "criteria": [_CRITERION],
    "references": {},
    "payload": _PAYLOAD,
    "status": "COMPLETED",
    "version": 5,
    "agent_id": "writer",
    "execution_id": _EXECUTION_ID,
    "submission": 1,
    "priority": 5,
    "tenant": "default",
    "labels": {"team": "press"},
    "policy": _POLICY,
    "capabilities": [],
    "cost_usd": _COST,
    "tokens": 2150,
    "cancelled": False,
    "live": False,
    "created_at": _AT,
    "updated_at": _LATER,
}
_AGENT: Final[dict[str, Any]] = {
    "id": "writer",
    "name": "Writer",
    "protocol": "http",
    "url": "https://agents.example/writer",
    "capabilities": ["poems"],
    "policy": {"attempt_timeout_s": 60},
    "enabled": True,
    "deterministic": False,
    "headers": {"Authorization": "env:SIGNOFF_AGENT_WRITER"},
    "settings": {},
    "tenant": "default",
    "shared": True,
    "circuit": "CLOSED",
    "paused": False,
    "version": 1,
    "created_at": _AT,
    "updated_at": _AT,
}
_TRY: Final[dict[str, Any]] = {
    "id": _OPERATION_ID,
    "agent_id": "writer",
    "check": False,
    "state": "DONE",
    "result": "Rain on the roof ..",
    "cost_usd": _COST,
    "tokens": 1200,
    "duration_s": 2.1,
    "exchanges": [
        {
            "method": "POST",
            "url": "https://agents.example/writer",
            "request_headers": {"Authorization": "***"},
            "request_body": '{"title":"A try"}',
            "status": 200,
            "response_headers": {"Content-Type": "application/json"},
            "response_body": '"Rain on the roof .."',
            "duration_s": 2.1,
        }
    ],
    "exchanges_left_out": 0,
    "checks": [],
    "created_at": _AT,
    "answered_at": _LATER,
    "actor": "administrator",
}
_LIMIT: Final = {"name": "tenant:press", "concurrency": 4, "rate_period_s": 1.0, "version": 2, "updated_at": _AT}
_HOLD: Final = {"job_id": "poem-1", "reason": "an audit", "actor": "token:eve", "created_at": _AT}
_RETENTION: Final = {
    "name": "tenant:press",
    "completed_s": 7776000,
    "failed_s": 15552000,
    "version": 2,
    "updated_at": _AT,
}
_KEPT_BACK: Final = {
    "code": "job_held",
    "count": 2,
    "message": "held jobs that are due: 2.",
    "remedy": "Release them once nobody needs them: signoff jobs release ID.",
}
_OPERATION: Final = {
    "id": _OPERATION_ID,
    "kind": "execute",
    "name": "Poems of May",
    "state": "RUNNING",
    "total": 20,
    "counts": {"COMPLETED": 12, "IN_PROGRESS": 8},
    "progress": 0.6,
    "rate_per_s": 1.5,
    "created_at": _AT,
    "waiting": [],
    "refused": [],
}
_MADE: Final = {"version": 3, "created_at": _AT, "actor": "anna"}
_JUDGED: Final = {"met": 40, "not_met": 2, "unjudged": 0, "cost_usd": _COST, "tokens": 52000}
_NAMED: Final = {"name": "strict", "current": 3, "newest": 3}
_VERSION: Final = {**_MADE, "note": "asks each criterion alone", "judged": _JUDGED, "warnings": []}
_JUDGE_POLICY: Final = {**_NAMED, "versions": [_VERSION], "moves": [_MADE]}
_CRITERIA_SET: Final = {
    **_NAMED,
    "name": "poems",
    "versions": [{**_MADE, "judged": _JUDGED, "acceptance_criteria": "It has eight lines", "criteria": [_CRITERION]}],
}
_GOLDEN_SET: Final = {
    "cases_jsonl": '{"result": "Rain ..", "acceptance_criteria": "It has eight lines", "label": true}',
    "true_positive_rate_min": 0.9,
    "true_negative_rate_min": 0.9,
}
_TIMES: Final = {name: {"p50": 0.5, "p95": 2.0, "p99": 4.5} for name in ("wait", "agent", "judge", "duration")}
_QUALITY: Final = {"judged": 40, "accepted": 31, "unjudged": 1, "compared": 5, "flipped": 1, "acceptance_rate": 0.775}
_COUNTS: Final = {
    "created": 9,
    "completed": 6,
    "failed": 1,
    "rejected": 1,
    "resubmission_required": 1,
    "cancelled": 0,
    "cost_usd": _COST,
    "tokens": 1200,
    **_TIMES,
}
_REASON: Final = {"code": "limit", "name": "tenant:press", "owner": "operator", "remedy": "Raise the limit, or wait."}

#: Of what pages have, one item.
_TENANT: Final = {"name": "press", "title": "The press office", "created_at": _AT, "created_by": "token:bootstrap"}
_TOKEN: Final[dict[str, Any]] = {
    "id": "5d1c2f3a-7a0e-4f4c-9c1e-0c7a5b1d9e33",
    "name": "eve",
    "role": "viewer",
    "tenants": ["press"],
    "all_tenants": False,
    "hint": "sgn_4Tq9",
    "created_at": _AT,
    "created_by": "token:bootstrap",
}
_SESSION: Final[dict[str, Any]] = {
    "id": "2a9f7c64-30c5-4b21-8e0d-91a4c9f0d7aa",
    "name": "eve",
    "actor": "token:eve",
    "role": "viewer",
    "tenants": ["press"],
    "all_tenants": False,
    "client": "console",
    "created_at": _AT,
    "ends_at": _LATER,
}
_ITEMS: Final[dict[str, Any]] = {
    "AccessToken": _TOKEN,
    "Tenant": _TENANT,
    "Session": _SESSION,
    "AuditEntry": {
        "id": "0198a6f0-1f2a-7c3e-9b1d-4e5f60718293",
        "at": _AT,
        "actor": "token:bootstrap",
        "action": "create_token",
        "method": "/signoff.v1.IdentityService/CreateToken",
        "outcome": "done",
        "code": "",
        "reason": "",
        "name": "eve",
        "tenants": ["press"],
        "all_tenants": False,
        "count": 1,
        "address": "10.0.0.7",
    },
    "Job": _JOB,
    "Agent": _AGENT,
    "AgentTry": _TRY,
    "AgentStats": {
        "agent_id": "writer",
        "running": 2,
        "queued": 5,
        "success_rate": 0.96,
        "mean_duration_s": 6.5,
        "ended": 50,
        "completed": 48,
        "refused": 1,
        "cost_usd": "2.13",
        "tokens": 81_200,
        "failures": {"agent_timeout": 1},
        "refusals": {"Says what the repair costs": 1},
        "circuit_changes": [],
    },
    "DeadLetter": {
        "topic": "execute-requested.dlq",
        "partition": 0,
        "offset": 17,
        "at": _AT,
        "code": "malformed_json",
        "source_topic": "execute-requested",
        "source_partition": 2,
        "source_offset": 4711,
        "body": "{",
        "body_bytes": 1,
    },
    "JobLog": {
        "id": "0d3b0f0e-51d4-4a43-9a53-2f6d7f7d5a01",
        "job_id": "poem-1",
        "version": 5,
        "status": "COMPLETED",
        "job_status": "COMPLETED",
        "kind": "met",
        "verdict": _VERDICT,
        "execution_id": _EXECUTION_ID,
        "submission": 1,
        "cursor": 4812,
        "created_at": _LATER,
    },
    "JudgePolicy": _JUDGE_POLICY,
    "Judging": {
        "item": 0,
        "kind": "judge",
        "state": "JUDGED",
        "verdict": _VERDICT,
        "cost_usd": _COST,
        "tokens": 830,
        "created_at": _AT,
        "answered_at": _LATER,
    },
    "Limit": _LIMIT,
    "NamedCriteriaSet": _CRITERIA_SET,
    "Operation": _OPERATION,
    "OperationItem": {
        "item": 0,
        "job_id": "poem-1",
        "title": "A poem about rain",
        "outcome": "COMPLETED",
        "execution_id": _EXECUTION_ID,
    },
    "Hold": _HOLD,
    "Retention": _RETENTION,
    "ReceiptKey": {
        "keyid": "sha256:5c0b7a9d",
        "algorithm": "ed25519",
        "public_key": "-----BEGIN PUBLIC KEY-----\n..\n-----END PUBLIC KEY-----\n",
        "added_at": _AT,
    },
}
#: What a page has beside its items.
_BESIDE: Final[dict[str, dict[str, Any]]] = {
    "DeadLetter": {"counts": {"execute-requested": 1}},
    "JudgePolicy": {"validators": [{"owner": "validator-1", "judge": "a-model", "keys": ["default"]}]},
}


def _pick(example: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return those members of an answer's example that are in `names`, for the example of a request."""
    return {name: example[name] for name in names}


#: Examples of a body by what they show; the names of those of a new agent are those of the protocols.
SEVERAL: Final[dict[str, dict[str, Any]]] = {
    "NewAgent": {
        "http": _pick(_AGENT, "id", "name", "url", "capabilities", "policy"),
        "http_async": {
            "name": "Researcher",
            "protocol": "http_async",
            "url": "https://agents.example/researcher",
            "policy": {"heartbeat_timeout_s": 60},
            "signing": "file:researcher/signing",
        },
        "openai": {
            "name": "Translator",
            "protocol": "openai",
            "url": "https://api.openai.com/v1",
            "headers": {"Authorization": "env:SIGNOFF_AGENT_OPENAI"},
            "settings": {
                "model": "gpt-5",
                "instructions": "You translate, and add nothing.",
                "template": "Translate into {{payload.language}}:\n\n{{payload.text}}\n\n{{feedback}}",
                "parameters": {"temperature": 0},
            },
        },
        "langgraph": {
            "name": "Planner",
            "protocol": "langgraph",
            "url": "https://graphs.example",
            "headers": {"X-Api-Key": "env:SIGNOFF_AGENT_PLANNER"},
            "settings": {
                "assistant": "planner",
                "input": {"city": "{{payload.city}}", "wishes": "{{description}}"},
                "output": "plan",
                "config": {"recursion_limit": 50},
            },
        },
        "a2a": {
            "name": "Booking",
            "protocol": "a2a",
            "url": "https://booking.example",
            "settings": {
                "template": "{{title}}\n\n{{feedback}}",
                "data": {"city": "{{payload.city}}"},
                "output": "data",
            },
        },
    },
}

_FAILED: Final[dict[str, Any]] = {
    "statuses": ["FAILED"],
    "labels": {},
    "codes": ["agent_timeout"],
    "reasons": [],
    **{f"not_{name}": [] for name in ("agent_ids", "tenants", "labels", "batch_ids", "codes", "criteria_not_met")},
}
_GROUP: Final[dict[str, Any]] = {
    "id": "failed-5c0b7a9d2e41",
    "kind": "failed",
    "code": "agent_timeout",
    "name": "",
    "agent_id": _JOB["agent_id"],
    "count": 38,
    "has_more": False,
    "since": _AT,
    "newest_at": _AT,
    "newest_job_id": _JOB["id"],
    "newest_title": _JOB["title"],
    "message": "no answer within 30 s",
    "remedy": "The agent did not answer in time: allow more in the policy, or assign a quicker one.",
    "operation": {"kind": "retry", "filter": _FAILED},
    "filter": _FAILED,
}

EXAMPLES: Final[dict[str, Any]] = {
    **{f"{name}Page": {"items": [item], **_BESIDE.get(name, {})} for name, item in _ITEMS.items()},
    "Agent": _AGENT,
    "AgentTry": _TRY,
    "AgentPatch": {"policy": {"attempt_timeout_s": 90, "judge": None}},
    "Cancellation": {"reason": "no longer needed"},
    "CriteriaRemarks": {
        "warnings": [{"code": "criterion_vague", "criterion": 0, "message": "What is short? Say how many words."}],
        "notes": [],
    },
    "Execution": {
        "id": _EXECUTION_ID,
        "job_id": "poem-1",
        "submission": 1,
        "agent_id": "writer",
        "state": "WAITING",
        "attempt": 0,
        "spent_calls": 0,
        "max_calls": 3,
        "judge": "strict@3",
        "created_at": _AT,
    },
    "Health": {"status": "ok", "jobstore": True, "live": True, "version": "0.2.0"},
    "Job": {**_JOB, "result": "Rain on the roof ..", "verdict": _VERDICT, "result_version": 5},
    "JobAssignment": {"agent_id": "writer", "payload": _PAYLOAD},
    "JobCancellation": {"reason": "no longer needed", "execution_id": _EXECUTION_ID},
    "JobCounts": {"counts": {"PENDING": 3, "COMPLETED": 120}, "capped_at": 10000, "cancelled": 1},
    "JobFacets": {"facets": [{"value": "writer", "count": 12, "name": "Writer"}], "capped_at": 10000},
    "JobPatch": {"title": "A poem about snow", "priority": 7},
    "JudgePolicyPromotion": {"version": 3, "force_reason": "no golden set yet"},
    "Kept": {
        "at": _LATER,
        "is_on": True,
        "database_bytes": 8241152000,
        "tables": [{"name": "job_logs", "bytes": 5100273664, "rows": 6210000}],
        "jobs": [
            {
                "tenant": "press",
                "status": "COMPLETED",
                "count": 812000,
                "oldest_at": _AT,
                "by_age": [1200, 8400, 36000, 72000, 694400],
            }
        ],
        "removed": 12000,
        "uncut": 40,
        "holds": 2,
        "archive": {
            "is_configured": True,
            "bytes": 912004210,
            "parts": 1440,
            "newest_at": _AT,
            "behind": 120,
            "checkpoint": 4,
            "checkpoint_at": _AT,
        },
        "topics": [{"topic": "job-changed", "bytes": 1209021440}],
        "growth": {
            "days": 7,
            "jobs_per_day": 1200,
            "database_bytes_per_day": 9830400,
            "archive_bytes_per_day": 1310720,
        },
        "next": [{"tenant": "press", "kind": "COMPLETED", "at": _LATER, "due": 12}],
        "kept_back": [_KEPT_BACK],
    },
    "Limit": _LIMIT,
    "LimitPatch": {"concurrency": 8, "rate": None},
    "MadeToken": {"token": _TOKEN, "secret": "sgn_ followed by 49 letters and digits"},
    "Me": {
        **{name: _SESSION[name] for name in ("name", "actor", "role", "tenants", "all_tenants", "ends_at")},
        "session_id": _SESSION["id"],
        "may": ["get_caller", "get_job", "list_jobs"],
    },
    "NamedCriteriaSet": _CRITERIA_SET,
    "NamedGoldenSet": {
        **_MADE,
        **_GOLDEN_SET,
        "name": "strict",
        "cases_hash": "5c0b7a9d",
        "cases": 1,
        "good": 1,
        "bad": 0,
        "is_retired": False,
    },
    "NamedJudgePolicy": _JUDGE_POLICY,
    "NewAgentTry": {"payload": _PAYLOAD, "title": "A poem about rain"},
    "NewBatch": {
        "name": "Poems of May",
        "jobs": [{"title": "A poem about rain", "acceptance_criteria": _CRITERIA, "agent_id": "writer"}],
    },
    "NewCriteria": {"acceptance_criteria": _CRITERIA},
    "NewCriteriaSet": {"acceptance_criteria": _CRITERIA, "note": "as the editors want it"},
    "NewDeadLetterResolution": {"topic": "execute-requested", "outcome": "REDRIVEN", "reason": "the bug is mended"},
    "NewExecution": {"execution_id": _EXECUTION_ID},
    "NewGoldenSet": _GOLDEN_SET,
    "NewJob": {
        **_pick(_JOB, "id", "title"),
        "acceptance_criteria": _CRITERIA,
        **_pick(_JOB, "payload", "agent_id", "labels", "policy"),
    },
    "NewJudgePolicy": {
        "policy": {"name": "strict", "stages": [{"kind": "single", "judges": [{"model": "a-model"}]}], "asks": "each"},
        "note": "asks each criterion alone",
    },
    "NewJudgings": {"cases": [{"result": "Rain on the roof ..", "acceptance_criteria": _CRITERIA}]},
    "NewLimit": {"concurrency": 4},
    "NewOperation": {"kind": "cancel", "filter": {"labels": {"team": "press"}}, "reason": "no longer needed"},
    "NewHold": _pick(_HOLD, "reason"),
    "NewRetention": _pick(_RETENTION, "completed_s", "failed_s"),
    "NewTenant": {"name": "press", "title": "The press office"},
    "Tenant": _TENANT,
    "NewToken": {"name": "eve", "role": "viewer", "tenants": ["press"], "lasts_s": 86400},
    "Operation": _OPERATION,
    "OperationPreview": {"total": 20, "items_max": 10000, "counts": {"COMPLETED": 20}, "sample": [], "cost_of": 0},
    "OperationRetry": {"name": "Poems of May, again", "statuses": ["FAILED"]},
    "Overview": {
        "points": [{"at": _AT, **_COUNTS}],
        "totals": {**_COUNTS, "acceptance_rate": 0.75},
        "now": {"queued": 12, "running": 3, "judging": 1, "oldest_wait_s": 9.5, "dead_letters": {}},
        "upstreams_sign": False,
        "signing_secret": "2026-05",
        "waiting": [{**_REASON, "count": 4}],
    },
    "Workers": {
        "workers": [
            {
                "id": _EXECUTION_ID,
                "kind": "executor",
                "version": "0.3.0",
                "silent_s": 41.0,
                "ends": False,
                "capacity": 1024,
                "room": 1000,
                "bound": "memory",
                "partitions": 4,
                "paced": 0,
                "protocols": ["http", "a2a"],
                "judge": "",
                "keys": [],
                "code": "silent",
                "message": "It was last heard of 41 s ago, and is offered nothing.",
                "remedy": "See whether it is frozen or does not reach the jobstore, or start another.",
            }
        ]
    },
    "Quality": {
        "points": [{"at": _AT, **_QUALITY}],
        "totals": _QUALITY,
        "agents": [{"name": _JOB["agent_id"], "models": {}, **_QUALITY}],
        "judges": [{"name": "strict@3", "models": {"a-model": 40}, **_QUALITY}],
        "criteria": [{"text": "It rhymes", "passed": 31, "failed": 8, "unassessed": 1}],
    },
    "Inbox": {
        "groups": [_GROUP],
        "count": 1,
        "happened": {
            "since": _AT,
            "ended": 1204,
            "completed": 1096,
            "failed": 38,
            "acceptance_rate": 0.94,
            "cost_usd": "44.16",
        },
    },
    "OperationGroups": {"groups": [_GROUP]},
    "InboxVisit": {"seen": True, "snoozed": ["failed-5c0b7a9d2e41"]},
    "QueuedJudgings": {"id": _OPERATION_ID},
    "ReceiptEnvelope": {
        "payload": "eyJfdHlwZSI6Ii4uIn0=",
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "sha256:5c0b7a9d", "sig": "c2lnbmF0dXJl"}],
    },
    "RejudgeReport": {
        "judged": 20,
        "judged_before": 20,
        "accepted_before": 15,
        "accepted_after": 14,
        "flipped": 1,
        "failed": {},
        "cost_usd": _COST,
        "tokens": 16400,
        "criteria": [],
        "flips": [],
    },
    "ResolvedDeadLetters": {"letters": 12, "skipped": 0, "forgotten": 0},
    "TokenRotation": {"overlap_s": 3600},
    "RemovedJob": {"job": _JOB, "logs": [], "removed_at": _LATER, "parts": [41, 42]},
    "Hold": _HOLD,
    "Retention": _RETENTION,
    "RetentionDraft": _pick(_RETENTION, "name", "completed_s"),
    "RetentionPatch": {"completed_s": 7776000, "failed_s": None},
    "RetentionPreview": {
        "retention": _RETENTION,
        "now": {
            "jobs": 312,
            "counts": {"COMPLETED": 300, "FAILED": 12},
            "has_more": False,
            "operations": 0,
            "bytes": 2555904,
            "oldest_at": _AT,
            "sample": [],
        },
        "later": {
            "jobs": 4210,
            "counts": {"COMPLETED": 4100, "FAILED": 110},
            "has_more": False,
            "operations": 3,
            "bytes": 34488320,
            "oldest_at": _AT,
            "sample": [],
        },
        "kept_back": [_KEPT_BACK],
    },
    "Resubmission": {"comment": "Mind the number of lines."},
    "Retirement": {"reason": "nobody judges by it"},
    "SavedCriteriaSet": {**_CRITERIA_SET, "version": 3, "warnings": []},
    "SavedJob": {**_JOB, "status": "ASSIGNED", "version": 1, "warnings": []},
    "SavedJudgePolicy": {**_JUDGE_POLICY, "version": 3, "warnings": []},
    "Waiting": {"execution_id": _EXECUTION_ID, "since": _AT, "reasons": [_REASON], "place": 7},
}
