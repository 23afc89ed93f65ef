"""Judge policies and criteria sets with their versions, as people see them, and their gRPC messages."""

from datetime import datetime
from typing import Any

from pydantic import Field, computed_field

from contracts.criteria import CriteriaRemarks, Criterion, CriterionWarning, parse_stored_criteria
from contracts.fields import Model, Time
from contracts.judging.calibration.golden import Counts, GoldenSet, Measured
from contracts.judging.calibration.quorums import QuorumWorth
from contracts.judging.policy import JudgePolicy
from contracts.messages.convert import fields_of, time_of
from contracts.messages.job_requests import warning_of
from signoff.json_fields import get_json, put_json
from signoff.jsontext import json_text
from signoff.v1 import judge_service_pb2 as pb


class JudgedCounts(Model):
    """What came of verdicts by a version; reused ones are among them."""

    met: int = 0
    not_met: int = 0
    unjudged: int = Field(0, description="the judge did something else than judge")
    cost_usd: float = 0.0
    tokens: int = 0


class _Version(Model):
    version: int
    created_at: Time
    actor: str = Field(description="who made it, by their credentials")
    note: str | None = None
    judged: JudgedCounts = Field(default_factory=JudgedCounts)


class JudgeEvaluation(Measured):
    """What an evaluation on labelled cases found of a version of a policy."""

    evaluation: str = Field(description="names it, as its report does")
    version: int = Field(description="that was evaluated")
    actor: str
    created_at: Time


class JudgingWarning(Model):
    """What should be looked at, and is accepted as it is."""

    code: str
    message: str


class JudgePolicyVersion(_Version):
    """One version of a judge policy, which never changes."""

    policy: JudgePolicy | None = Field(None, description="not in lists")
    evaluation: JudgeEvaluation | None = Field(
        None, description="the newest, of this version, or of one that judges by the same stages; not in lists"
    )
    warnings: list[JudgingWarning] = Field(default_factory=list, description="of a quorum; not in lists")


class CriteriaSetVersion(_Version):
    """One version of a criteria set, which never changes."""

    acceptance_criteria: str = Field("", description="not in lists")

    @computed_field(description="what `acceptance_criteria` says")  # type: ignore[prop-decorator]
    @property
    def criteria(self) -> list[Criterion]:
        """The criteria, as the text form says."""
        return parse_stored_criteria(self.acceptance_criteria)


class NameMove(Model):
    """Which version was current from then on."""

    version: int | None = Field(None, description="None: the name was retired")
    reason: str | None = Field(None, description="why, although something spoke against it")
    actor: str
    created_at: Time


class NamedJudgePolicy(Model):
    """A judge policy by its name."""

    name: str
    current: int | None = Field(None, description="the version by which new executions are judged; None: it is retired")
    newest: int
    versions: list[JudgePolicyVersion] = Field(
        default_factory=list, description="newest first; in lists the current one alone"
    )
    moves: list[NameMove] = Field(default_factory=list, description="newest first; not in lists")


class NamedCriteriaSet(Model):
    """A criteria set by its name."""

    name: str
    current: int | None = Field(None, description="the version by which new executions are judged; None: it is retired")
    newest: int
    versions: list[CriteriaSetVersion] = Field(
        default_factory=list, description="newest first; in lists the current one alone"
    )


class NamedGoldenSet(GoldenSet):
    """The golden set of a policy: labelled cases that a new version must pass before it takes over."""

    name: str
    version: int
    is_retired: bool = Field(description="versions take over without it")
    created_at: Time
    actor: str
    note: str | None = None
    cases_jsonl: str = Field(description="a labelled case a line")


class SavedJudgePolicy(NamedJudgePolicy):
    """A judge policy as the answer to putting a version shows it."""

    version: int = Field(description="that was added, or says the same")
    warnings: list[JudgingWarning] = Field(default_factory=list)


class SavedCriteriaSet(NamedCriteriaSet):
    """A criteria set as the answer to putting a version shows it."""

    version: int = Field(description="that was added, or says the same")
    warnings: list[CriterionWarning] = Field(default_factory=list, description="of its criteria, which were accepted")


class Validator(Model):
    """A validator that is there."""

    owner: str
    judge: str = Field(
        description="the version of the policy `default` that it is set to; empty: it has not reported it"
    )
    keys: list[str] = Field(default_factory=list, description="the names of the keys that it has")


class JudgePolicies(Model):
    """A page of judge policies, and the validators that are there."""

    policies: list[NamedJudgePolicy]
    next_page_token: str = ""
    validators: list[Validator] = Field(default_factory=list)


def judge_policy_message(named: NamedJudgePolicy) -> pb.JudgePolicy:
    """Return a judge policy as it is sent."""
    message = pb.JudgePolicy(
        name=named.name,
        current=named.current,
        newest=named.newest,
        moves=[pb.NameMove(**move.model_dump()) for move in named.moves],
    )
    for version in named.versions:
        sent = message.versions.add(**version.model_dump(exclude={"policy"}))
        text = None if version.policy is None else json_text(version.policy.model_dump(mode="json"))
        put_json(sent, "policy", text, as_text=True)
    return message


def criteria_set_message(named: NamedCriteriaSet) -> pb.CriteriaSet:
    """Return a criteria set as it is sent."""
    return pb.CriteriaSet(**named.model_dump())


def judge_policy_of(message: pb.JudgePolicy) -> NamedJudgePolicy:
    """Return a judge policy as received."""
    return NamedJudgePolicy(**_policy_fields(message))


def criteria_set_of(message: pb.CriteriaSet) -> NamedCriteriaSet:
    """Return a criteria set as received."""
    return NamedCriteriaSet(**_set_fields(message))


def golden_set_of(message: pb.GoldenSet) -> NamedGoldenSet:
    """Return a golden set as received."""
    zeros = ("is_retired", "true_positive_rate_min", "true_negative_rate_min")  # are on the wire as nothing
    fields = fields_of(message, NamedGoldenSet.model_fields.keys() - {"created_at", *zeros})
    return NamedGoldenSet(**fields, **{name: getattr(message, name) for name in zeros}, created_at=_at(message))


def saved_policy_of(message: pb.PutJudgePolicyResponse) -> SavedJudgePolicy:
    """Return a judge policy with the warnings of a put, as received."""
    warnings = [_warning_of(each) for each in message.warnings]
    return SavedJudgePolicy(**_policy_fields(message.policy), version=message.version, warnings=warnings)


def saved_set_of(message: pb.PutCriteriaSetResponse) -> SavedCriteriaSet:
    """Return a criteria set with the warnings of a put, as received."""
    warnings = [warning_of(each) for each in message.warnings]
    return SavedCriteriaSet(**_set_fields(message.set), version=message.version, warnings=warnings)


def remarks_of(message: pb.LintCriteriaResponse) -> CriteriaRemarks:
    """Return what the lint says of criteria, as received."""
    return CriteriaRemarks(warnings=[*map(warning_of, message.warnings)], notes=[*map(warning_of, message.notes)])


def policies_of(message: pb.ListJudgePoliciesResponse) -> JudgePolicies:
    """Return a page of judge policies as received."""
    return JudgePolicies(
        policies=[judge_policy_of(each) for each in message.policies],
        next_page_token=message.next_page_token,
        validators=[Validator(owner=each.owner, judge=each.judge, keys=list(each.keys)) for each in message.validators],
    )


def _policy_fields(message: pb.JudgePolicy) -> dict[str, Any]:
    moves = [
        NameMove(**fields_of(each, {"version", "reason", "actor"}), created_at=_at(each)) for each in message.moves
    ]
    versions = []
    for each in message.versions:
        text = get_json(each, "policy")
        policy = None if text is None else JudgePolicy.model_validate_json(text, extra="ignore")  # of a newer jobstore
        shown = {"evaluation": _evaluation_of(each), "warnings": [_warning_of(one) for one in each.warnings]}
        versions.append(JudgePolicyVersion(**_version_fields(each), policy=policy, **shown))
    return {**fields_of(message, {"name", "current", "newest"}), "versions": versions, "moves": moves}


def _evaluation_of(message: pb.JudgePolicyVersion) -> JudgeEvaluation | None:
    if not message.HasField("evaluation"):
        return None
    sent = message.evaluation
    overall = Counts(**{name: getattr(sent.overall, name) for name in Counts.model_fields})
    quorum = [
        QuorumWorth(
            **{name: getattr(one, name) for name in ("votes", "labels", "majority_wrong")},
            **fields_of(one, {"correlation", "correlation_low", "correlation_high"}),
            wrong=list(one.wrong),
        )
        for one in sent.quorum
    ]
    named = fields_of(sent, {"evaluation", "version", "cases_hash", "actor"})
    return JudgeEvaluation(**named, created_at=_at(sent), overall=overall, quorum=quorum)


def _warning_of(message: pb.JudgingWarning) -> JudgingWarning:
    return JudgingWarning(code=message.code, message=message.message)


def _set_fields(message: pb.CriteriaSet) -> dict[str, Any]:
    versions = [
        CriteriaSetVersion(**_version_fields(each), acceptance_criteria=each.acceptance_criteria)
        for each in message.versions
    ]
    return {**fields_of(message, {"name", "current", "newest"}), "versions": versions}


def _version_fields(message: pb.JudgePolicyVersion | pb.CriteriaSetVersion) -> dict[str, Any]:
    counts = {name: getattr(message.judged, name) for name in JudgedCounts.model_fields}
    fields = fields_of(message, {"version", "actor", "note"})
    return {**fields, "created_at": _at(message), "judged": JudgedCounts(**counts)}


def _at(message: Any) -> datetime | None:
    return time_of(message, "created_at")
