"""A genuine receipt, and ways to make others of it."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.events import hash_result
from contracts.judging.policy import Verdict
from contracts.receipts import PublicKeys, ReceiptKey, Statement, derive_keys, encode, sign
from contracts.signing import Secrets, make_secret
from signoff.judging import Ask, CriterionVerdict, StageVerdict
from signoff.status import JobStatus, Outcome

NEW, OLD, STRANGERS = derive_keys(
    Secrets.parse(",".join(make_secret(name, name.encode() * 8) for name in ("new-", "old-", "them")))
)
TRUSTED = PublicKeys([NEW.public, OLD.public])
RESULT = '{"text":"The sea is blue."}'
VERDICT = Verdict.of(
    [
        CriterionVerdict(text='Says "sea"', outcome=Outcome.PASS, evidence=["The sea"], comment="it does"),
        CriterionVerdict(
            text="names a colour",
            outcome=Outcome.FAIL,
            required=False,
            kind="never",
            evidence=["blue"],
            comment="it does",
        ),
    ],
    "one of two, and that one is required",
    "a-judge",
)
#: As it is judged by a policy: with its stages, and what each ask of a model said and cost.
BY_POLICY = VERDICT.model_copy(
    update={
        "judge": "strict@3",
        "submission": 2,
        "submissions": 5,
        "stages": [
            StageVerdict(
                kind="single",
                outcomes="pf",
                asks=[Ask(model="a-judge", prompt=4, outcomes="pf", cost_usd=0.25, request_id="req-1", latency_s=2.5)],
            ),
            StageVerdict(kind="refute", outcomes="p-", asks=[Ask(model="another", role="refute")]),
        ],
    }
)


def state(verdict: Verdict = VERDICT, result: str = RESULT, **fields: Any) -> Statement:
    logged = {
        "job_id": "poem",
        "version": 7,
        "tenant": "press",
        "execution_id": UUID(int=5),
        "submission": 2,
        "status": JobStatus.COMPLETED,
        "requested_at": datetime(2026, 11, 26, 8, 0, tzinfo=UTC),
        "judged_at": datetime(2026, 11, 26, 8, 1, tzinfo=UTC),
    }
    return Statement.of(verdict, hash_result(result), **{**logged, **fields})


STATEMENT = state()
RECEIPT = sign(NEW, STATEMENT.encode()).encode()


def altered(**members: Any) -> bytes:
    """The receipt with other members."""
    return json.dumps(json.loads(RECEIPT) | members).encode()


def signature(key: ReceiptKey = NEW, **members: Any) -> dict[str, Any]:
    """The signature of the receipt's payload, with other members."""
    return {"keyid": key.public.keyid, "sig": encoded(key.sign(encode_again(STATEMENT.encode()))), **members}


def encode_again(payload: bytes) -> bytes:
    return encode("application/vnd.in-toto+json", payload)


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def signed(payload: bytes, key: ReceiptKey = NEW) -> bytes:
    """An envelope of any payload that a trusted key has signed."""
    return sign(key, payload).encode()


def restated(**members: Any) -> bytes:
    """The statement with other members, as JSON."""
    return json.dumps(json.loads(STATEMENT.encode()) | members).encode()
