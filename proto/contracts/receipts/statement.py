"""The statement in a receipt: an in-toto Statement v1 about a result, whose predicate is the verdict on it.

It holds no word of the result, and none that a judge said of it: only the criteria, and those may be left out.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from contracts.criteria import format_line
from contracts.fields import describe_problem
from contracts.judging.verdict import Verdict
from contracts.receipts.envelope import open_envelope, parse_unambiguous
from contracts.receipts.errors import ReceiptError
from contracts.receipts.keys import PublicKey, PublicKeys
from signoff.errors import ErrorCode
from signoff.fields import Model, Time
from signoff.jsontext import json_text
from signoff.judging import CriterionVerdict
from signoff.status import JobStatus, Outcome

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
#: What the predicate means, which docs/receipts.md says. Fields are added to it; another meaning is another type.
PREDICATE_TYPE: Final = "urn:signoff:verdict:v1"

#: Codes of a log's entry that are stated, since they say how its verdict came to be.
STATED_CODES: Final = frozenset({ErrorCode.REJUDGED, ErrorCode.VERDICT_REUSED})

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Digest(Model):
    """A hash of what is spoken of."""

    sha256: Sha256


class Subject(Model):
    """The result: by the job and the execution that it is of, and the hash of its JSON text."""

    name: str = Field(description="`<job id>/<execution id>`")
    digest: Digest


class JudgedCriterion(Model):
    """How one criterion was judged."""

    sha256: Sha256 = Field(description="of its line in the text form of criteria")
    text: str | None = Field(None, description="None where texts were left out")
    kind: str
    required: bool
    outcome: Outcome

    def __str__(self) -> str:
        return f"sha256:{self.sha256}" if self.text is None else _format_line(self.text, self)


class StatedAsk(Model):
    """One ask of a model, without what it cost."""

    model: str
    role: str
    prompt: int | None = None
    outcomes: str | None = None


class StatedStage(Model):
    """What one stage of judging decided: a letter for each criterion, as in the log."""

    kind: str
    outcomes: str
    asks: list[StatedAsk]


class VerdictPredicate(Model):
    """A verdict as the log of a job has it."""

    job_id: str
    version: int = Field(description="of the entry of the job's log that holds the verdict")
    tenant: str
    execution_id: UUID
    submission: int
    submissions: int | None = Field(None, description="how many there might be")
    status: JobStatus = Field(description="of the job, by this verdict")
    code: str | None = Field(
        None,
        description="`verdict_reused`: as it was given on the same result before, and nobody was asked anew;"
        " `rejudged`: given when the result was judged again, without its agent",
    )
    is_valid: bool
    task_sha256: Sha256 | None = Field(
        None, description="of what the agent was asked: of the JSON text of an object of title, description and payload"
    )
    references_sha256: Sha256 | None = Field(
        None, description="of the references that judges had, as a JSON object by the numbers of criteria, in order"
    )
    criteria_sha256: Sha256 = Field(description="of the text form of all criteria, a line for each")
    criteria: list[JudgedCriterion]
    judge: str | None = Field(None, description="the judge policy and its version, such as `strict@3`")
    model: str | None = None
    stages: list[StatedStage] | None = Field(None, description="how it was judged")
    requested_at: Time | None = Field(None, description="when the execution was")
    judged_at: Time


class Statement(Model):
    """What a receipt states."""

    model_config = ConfigDict(populate_by_name=True)

    type: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT_TYPE, alias="_type")
    subject: Annotated[list[Subject], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:signoff:verdict:v1"] = Field(PREDICATE_TYPE, alias="predicateType")
    predicate: VerdictPredicate

    @classmethod
    def of(
        cls, verdict: Verdict, result_hash: bytes, *, with_texts: bool = True, code: str | None = None, **fields: Any
    ) -> Self:
        """State a verdict on the result with this hash; `code` and `fields` are those that the log has."""
        lines = [_format_line(one.text, one) for one in verdict.criteria]
        predicate = VerdictPredicate(
            submissions=verdict.submissions,
            code=code if code in STATED_CODES else None,
            is_valid=verdict.is_valid,
            references_sha256=verdict.references_sha256,
            criteria_sha256=_hash("\n".join(lines)),
            criteria=[
                JudgedCriterion(
                    sha256=_hash(line),
                    text=one.text if with_texts else None,
                    kind=one.kind,
                    required=one.required,
                    outcome=one.outcome,
                )
                for one, line in zip(verdict.criteria, lines, strict=True)
            ],
            judge=verdict.judge,
            model=verdict.model,
            stages=[StatedStage.model_validate(each, from_attributes=True) for each in verdict.stages] or None,
            **fields,
        )
        name = f"{predicate.job_id}/{predicate.execution_id}"
        return cls(subject=[Subject(name=name, digest=Digest(sha256=result_hash.hex()))], predicate=predicate)

    @property
    def result_sha256(self) -> str:
        """The hash of the result's JSON text."""
        return self.subject[0].digest.sha256

    def encode(self) -> bytes:
        """Return the statement as it is signed."""
        return json_text(self.model_dump(by_alias=True, exclude_none=True)).encode()


def verify(receipt: bytes, keys: PublicKeys) -> tuple[PublicKey, Statement]:
    """Return who signed a receipt, and what it states. Raise ReceiptError where it proves nothing."""
    key, payload = open_envelope(receipt, keys)
    return key, _read_statement(parse_unambiguous(payload, "the statement"))


def _read_statement(value: Mapping[str, Any]) -> Statement:
    for member, known in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
        if (stated := value.get(member)) != known:
            message = f"what is signed is no receipt: its {member} is {str(stated)[:80]!r}, and a receipt's is {known}"
            raise ReceiptError(message, code=ErrorCode.UNKNOWN_PREDICATE)
    try:
        return Statement.model_validate(value)
    except ValidationError as error:
        wrong = "; ".join(map(describe_problem, error.errors()))
        raise ReceiptError(f"the statement cannot be read: {wrong}", code=ErrorCode.MALFORMED_RECEIPT) from None


def _format_line(text: str, one: CriterionVerdict | JudgedCriterion) -> str:
    """Return a criterion as its line in the text form."""
    return format_line(text, one.kind, required=one.required)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
