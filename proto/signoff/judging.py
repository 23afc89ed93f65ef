"""What the jobstore answers about judging: criteria, verdicts, judge policies, judgings, keys of receipts."""

import operator
from decimal import Decimal
from typing import Any

from pydantic import Field

from signoff.fields import Model, NextPageToken, Open, ReportedMoney, SumOfMoney, Time, optional
from signoff.status import CriterionOutcome, JudgingKind, JudgingState


class Criterion(Model):
    """One criterion of a job."""

    text: str
    required: bool = Field(True, description="one that is not is judged and does not decide")
    kind: str = Field(
        "meets",
        description="`meets`; `never`: what the result must not have or do; `check`: a rule that needs no judge",
    )


class CriterionWarning(Model):
    """What might be meant otherwise in a criterion, and is accepted as it is."""

    code: str
    criterion: int = Field(description="its place in `criteria`, from 0")
    message: str
    suggestion: str | None = optional("what could stand there instead: one line of the text form or more")


class CriteriaRemarks(Model):
    """What the lint says of criteria."""

    warnings: list[CriterionWarning]
    notes: list[CriterionWarning] = Field(
        default_factory=list, description="how some are judged where a result is longer than a section"
    )


def _left_out(description: str | None = None, *, default: object = None) -> Any:
    """Declare a field that JSON leaves out where it has its default, None or False."""
    return Field(default, exclude_if=lambda value: value is default, description=description)


class CriterionVerdict(Model):
    """The judgement of one criterion."""

    text: str
    outcome: Open[CriterionOutcome]
    required: bool = True
    kind: str = Field("meets", description="the criterion's: `meets`, `never` or `check`")
    evidence: list[str] = Field(
        default_factory=list, description="quotations of the result, or what a check found; none where none stand there"
    )
    comment: str = ""
    unproven: bool = _left_out(
        "open by the judge's failure: its last pass had no evidence that counts, or was not confirmed, "
        "or no sound answer came; its outcome is then cannot_assess",
        default=False,
    )
    by: str | None = _left_out("the kind of the stage that decided it")
    evidence_spans: list[list[tuple[int, int]]] | None = _left_out(
        "by REST, for each quotation where it stands in the result: [start, end]; the first 20 places"
    )
    discloses: bool = _left_out(
        "its comment holds words of a reference that are known from nothing else: the agent is not sent it",
        default=False,
    )


class Ask(Model):
    """One ask of a model, as the log keeps it; or, where there were very many, the sum of some."""

    model: str
    role: str = Field(
        "judge",
        description="`judge`, `vote`, `cheap`, `strong`; `confirm`: whether passages show what passed; `refute`: a "
        "pass was to be refuted; `control`: about a harmless result",
    )
    prompt: int | None = _left_out("the version of the prompt")
    input_tokens: int | None = _left_out()
    cached_tokens: int | None = _left_out("of the input tokens, those read from a prompt cache; left out: none were")
    output_tokens: int | None = _left_out()
    cost_usd: ReportedMoney | None = _left_out()
    began_s: float | None = _left_out("how long after the first could have been made")
    latency_s: float | None = _left_out()
    request_id: str | None = _left_out("as the judge's API names the request")
    refused: int | None = _left_out("how many tries before it were refused, or had no answer; left out: none was")
    last_refusal: str | None = _left_out("of the last of them: a status, such as 429, or a code: judge_timeout")
    vote: int | None = _left_out("of a quorum: which vote, from 1")
    section: int | None = _left_out("of a long result: which part, from 1")
    sum_of: int | None = _left_out("how many asks these are together, where not one")
    outcomes: str | None = _left_out(
        "what it answered, a letter for each criterion of the job: p (pass), f (fail), c (cannot assess), "
        "- (not asked); not given where the answer was nonsense"
    )


class StageVerdict(Model):
    """What one stage of judging decided."""

    kind: str = Field(description="`checks`, `single`, `quorum`, `cascade`, `confirm` or `refute`; more may follow")
    outcomes: str = Field(description="a letter for each criterion, as in Ask: what it decided")
    asks: list[Ask] = Field(default_factory=list)


class Verdict(Model):
    """The judgement of one result. `is_valid` is computed from the criteria, never taken from a model."""

    is_valid: bool
    reason: str
    criteria: list[CriterionVerdict]
    model: str | None = _left_out()
    judge_error: str | None = _left_out(
        "the code of what the judge did instead of judging this result; it is not submitted again"
    )
    judge: str | None = _left_out("the judge policy and its version, such as `strict@3`")
    references_sha256: str | None = _left_out("of the references that it was judged by, as the jobstore has them")
    discloses: bool = _left_out("the reason holds words of a reference, as a comment may", default=False)
    submission: int | None = _left_out("which submission of the job this is the judgement of")
    submissions: int | None = _left_out("how many there may be")
    stages: list[StageVerdict] = Field(default_factory=list, exclude_if=operator.not_, description="how it was judged")
    began_at: Time | None = _left_out("when its judging began, by its validator's clock")


class Judging(Model):
    """A judging without a job, and its verdict once there is one."""

    item: int = Field(description="the number of its case, from 0")
    kind: Open[JudgingKind]
    state: Open[JudgingState]
    verdict: Verdict | None = None
    probe: dict[str, Any] | None = optional("of a `test`: what the judge was found to do")
    code: str | None = optional("why there is no answer")
    message: str | None = None
    cost_usd: SumOfMoney = Decimal(0)
    tokens: int = 0
    duration_s: float | None = None
    job_id: str | None = None
    created_at: Time
    answered_at: Time | None = None


class JudgingProgress(Model):
    """How many of the judgings of one call are answered."""

    total: int
    answered: int
    cost_usd: SumOfMoney = Decimal(0)
    held_back_until: Time | None = optional("none is judged before: their tenant has spent what it may in a day")


class CriterionChange(Model):
    """A criterion whose outcome is another than before."""

    text: str
    before: Open[CriterionOutcome]
    after: Open[CriterionOutcome]


class Flip(Model):
    """A verdict that is another than before, on the same result."""

    item: int
    job_id: str
    title: str = ""
    was_valid: bool
    is_valid: bool
    criteria: list[CriterionChange] = Field(default_factory=list)
    reason: str = ""


class CriterionDiff(Model):
    """How the outcomes of a criterion changed; criteria are the same where their lines of the text form are."""

    text: str = Field(description="its line of the text form, such as `never: Curses`")
    judged: int
    changed: int
    outcomes: dict[str, int] = Field(description="how often, by `before > after`, as `pass > fail`")


class RejudgeReport(Model):
    """What judging jobs again came to."""

    judged: int = Field(description="results that are judged again")
    judged_before: int = Field(description="those of them that had a verdict")
    accepted_before: int
    accepted_after: int
    flipped: int
    failed: dict[str, int] = Field(default_factory=dict, description="why others were not judged, by code")
    cost_usd: SumOfMoney = Decimal(0)
    tokens: int = 0
    criteria: list[CriterionDiff] = Field(default_factory=list, description="what changed most, 100 at most")
    flips: list[Flip] = Field(default_factory=list)
    next_page_token: NextPageToken = None


class JudgedCounts(Model):
    """What came of verdicts by a version; reused ones are among them."""

    met: int = 0
    not_met: int = 0
    unjudged: int = Field(0, description="the judge did something else than judge")
    cost_usd: SumOfMoney = Decimal(0)
    tokens: int = 0


class _Version(Model):
    version: int
    created_at: Time
    actor: str = Field(description="who made it, by their credentials")
    note: str | None = None
    judged: JudgedCounts = Field(default_factory=JudgedCounts)


class JudgingWarning(Model):
    """What should be looked at, and is accepted as it is."""

    code: str
    message: str


class CriteriaSetVersion(_Version):
    """One version of a criteria set, which never changes."""

    acceptance_criteria: str = Field("", description="not in lists")
    criteria: list[Criterion] = Field(default_factory=list, description="what `acceptance_criteria` says")


class NameMove(Model):
    """Which version was current from then on."""

    version: int | None = optional("left out: the name was retired")
    reason: str | None = optional("why, although something spoke against it")
    actor: str
    created_at: Time


class NamedCriteriaSet(Model):
    """A criteria set by its name."""

    name: str
    current: int | None = optional("the version by which new executions are judged; left out: it is retired")
    newest: int
    versions: list[CriteriaSetVersion] = Field(
        default_factory=list, description="newest first; in lists the current one alone"
    )


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


class Counts(Model):
    """How many were judged rightly and wrongly."""

    true_accepts: int
    false_accepts: int
    true_rejects: int
    false_rejects: int
    unsure: int = Field(0, description="of the rejects: what the judge could not assess")


class QuorumWorth(Model):
    """How the votes of a quorum judged labelled criteria. No answer is an error."""

    votes: int
    labels: int
    correlation: float | None = optional("of errors, the mean of all pairs; left out where no pair errs")
    correlation_low: float | None = optional("of its 95 % interval, which is by case; left out where it is not known")
    correlation_high: float | None = None
    wrong: list[int] = Field(description="by vote")
    majority_wrong: int
    worth_votes: float | None = optional("independent votes that they are worth")
    worth_votes_low: float | None = optional("of the 95 % interval of what they are worth")
    worth_votes_high: float | None = optional("left out where it is not known, or has no bound")
    best_wrong: int = Field(0, description="of the best vote")
    adds_nothing: bool = Field(False, description="the best vote alone is wrong no more often than the majority")


class JudgeEvaluation(Model):
    """What an evaluation on labelled cases found of a version of a policy."""

    evaluation: str = Field(description="names it, as its report does")
    version: int = Field(description="that was evaluated")
    cases_hash: str = Field(description="SHA-256 of the labelled cases, in any order")
    overall: Counts
    quorum: list[QuorumWorth] = Field(default_factory=list)
    actor: str
    created_at: Time


class JudgePolicyVersion(_Version):
    """One version of a judge policy, which never changes."""

    policy: dict[str, Any] | None = optional("not in lists")
    evaluation: JudgeEvaluation | None = optional(
        "the newest, of this version, or of one that judges by the same stages; not in lists"
    )
    warnings: list[JudgingWarning] = Field(default_factory=list, description="of a quorum; not in lists")


class NamedJudgePolicy(Model):
    """A judge policy by its name."""

    name: str
    current: int | None = optional("the version by which new executions are judged; left out: it is retired")
    newest: int
    versions: list[JudgePolicyVersion] = Field(
        default_factory=list, description="newest first; in lists the current one alone"
    )
    moves: list[NameMove] = Field(default_factory=list, description="newest first; not in lists")


class NamedGoldenSet(Model):
    """The golden set of a policy: labelled cases that a new version must pass before it takes over."""

    name: str
    version: int
    is_retired: bool = Field(description="versions take over without it")
    cases_hash: str = Field(description="SHA-256 of the labelled cases, in any order")
    cases: int
    good: int = Field(description="results that are to pass")
    bad: int = Field(description="results that are not")
    true_positive_rate_min: float = Field(
        description="what the lower bound (Clopper-Pearson, 95 %) of the share of good results that pass reaches"
    )
    true_negative_rate_min: float = Field(description="the same of bad results that do not pass")
    flips_max: float | None = optional("the share of cases whose repeats may differ; left out: not looked at")
    created_at: Time
    actor: str
    note: str | None = None
    cases_jsonl: str = Field(description="a labelled case a line")


class ReceiptKey(Model):
    """A key that verifies receipts."""

    keyid: str = Field(description="SHA-256 of the 32 bytes of the key, hexadecimal")
    algorithm: str = Field(description="`ed25519`; a key of another one, which may come, verifies nothing here")
    public_key: str = Field(description="the 32 bytes of the key, in base64")
    secret_id: str | None = optional("of the secret from which it is derived")
    added_at: Time | None = optional("when a jobstore first had the secret")


class SavedJudgePolicy(NamedJudgePolicy):
    """A judge policy as the answer to putting a version shows it."""

    version: int = Field(description="that was added, or says the same")
    warnings: list[JudgingWarning] = Field(default_factory=list)


class JudgePolicies(Model):
    """A page of judge policies, and the validators that are there."""

    policies: list[NamedJudgePolicy]
    next_page_token: str = ""
    validators: list[Validator] = Field(default_factory=list)
