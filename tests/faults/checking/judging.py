"""Whether results are judged by what was frozen with them, and judged again as that was asked for, and no more."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from faults.checking.observed import AFTERWARDS, CONCLUDING, RESTING, LogRow, Model, Observed, Rejudged

#: By policy and version, whom it asks: after its checks, by the stage of its name. By name alone the first is current.
POLICIES: dict[str, Sequence[str]] = {
    "single@1": ("one",),
    "quorum@1": ("first", "second"),
    "quorum@2": ("first", "second", "third"),
    "cascade@1": ("cheap", "strong"),
}
#: What judges jobs that name no policy, and its stage.
OWN, OWN_STAGE = "default", "single"
CHECKS, REFUTE = ("checks",), ("refute",)
#: The code of both entries that judging again makes.
AGAIN = "rejudged"
VERDICTS = frozenset({"met", "not_met"})
#: The code of a job whose judge proved nothing of what it let pass.
UNPROVEN = "verdict_unproven"
#: Codes of results that cannot be judged: the judge answers no sense, or there is too much of it.
MAY_REFUSE = ("judge_", "judging_", "result_too_large", "budget_exhausted", UNPROVEN)
#: The entries, the door and the operator look at their clocks one after the other.
SLACK_S = 1.0


def real_ones(seen: Observed, job_id: str) -> list[Rejudged]:
    """The operations that judged a job again for good."""
    return [one for one in seen.rejudged if not one.shadow and job_id in one.outcomes]


def judged_by(entry: LogRow, seen: Observed) -> str | None:
    """The policy and version that a verdict is to be by: as frozen, unless judging again was asked for by another.

    None: the validators' own.
    """
    model = seen.models.get(entry.job_id)
    again = real_ones(seen, entry.job_id) if entry.code == AGAIN else []
    return next((one.judge for one in again if one.judge), model.judge if model else None)


def verdicts_are_the_judges(seen: Observed) -> Iterator[str]:
    """What ends by a verdict the judge said, or so many judges as are needed: but what fails a check."""
    said, hostile = defaultdict(list), seen.hostile_jobs
    for call in seen.judge_calls:
        if call.is_valid is not None:
            said[call.execution_id].append(call)
    for entry in seen.logs:
        judged = entry.status in {"COMPLETED", "RESUBMISSION_REQUIRED", "REJECTED"} and entry.job_id not in hostile
        if not judged or entry.kind in {"declined", "edited", *AFTERWARDS} or entry.stages == CHECKS:
            continue
        again = real_ones(seen, entry.job_id) if entry.code == AGAIN else []
        since = min((one.began_at for one in again), default=0.0)
        agreed = {
            call.model
            for call in said[entry.execution_id or ""]
            if since <= call.at <= entry.at + SLACK_S and call.is_valid is (entry.status == "COMPLETED")
        }
        if len(agreed) < _votes_needed(entry, seen):
            yield f"{entry.job_id} became {entry.status} ({entry.execution_id}) and the judge never said so"


def _votes_needed(entry: LogRow, seen: Observed) -> int:
    policy = judged_by(entry, seen) or ""
    return len(POLICIES[policy]) // 2 + 1 if policy.startswith("quorum") and entry.kind == "met" else 1


def judged_by_what_was_frozen(seen: Observed) -> Iterator[str]:
    """A verdict is by the policy that it is to be by, and all its stages; of what a check refuses no judge is asked."""
    asked_about = {call.execution_id for call in seen.judge_calls if call.is_valid is not None}
    for entry in seen.logs:
        model = seen.models.get(entry.job_id)
        if entry.kind not in VERDICTS or model is None:
            continue
        policy, where = judged_by(entry, seen), f"{entry.job_id} version {entry.version} ({entry.kind})"
        if entry.policy != policy and (policy or not (entry.policy or OWN).startswith(OWN)):
            yield f"{where} was judged by {entry.policy}, and {policy} was frozen"
        if entry.stages not in _stages(entry, model, policy):
            yield f"{where}, submission {entry.submission} by {policy}, was judged by the stages {entry.stages}"
        if entry.stages == CHECKS and entry.execution_id in asked_about:
            yield f"{where} was refused by a check, and a judge was asked about it"


def _stages(entry: LogRow, model: Model, policy: str | None) -> Sequence[tuple[str, ...]]:
    """By which stages a verdict may have come: all jobs that name a policy have a check, which lacking work fails."""
    submission, has_check = entry.submission or 1, model.judge is not None
    if has_check and submission <= model.lacking:
        return [CHECKS]
    asked = (*(CHECKS if has_check else ()), policy.partition("@")[0] if policy else OWN_STAGE)
    doubted = asked if submission == 1 else asked + REFUTE
    return [doubted] if entry.kind == "met" else [asked, doubted]


def judged_again_as_asked(seen: Observed) -> Iterator[str]:
    """A shadow changes nothing; a real one makes a pair of entries on the last execution, and nothing follows.

    But for what was unproven: of that the next submission may follow by policy.
    """
    by_hand = {asked.execution_id for asked in seen.asked}
    for job_id, log in _logs_of_jobs(seen).items():
        last: LogRow | None = None  # that ended an execution
        was_unproven = False
        for entry, then in pairwise([*log, None]):
            assert entry is not None
            where = f"{job_id} version {entry.version}"
            if entry.kind == "rejudged":
                yield from (f"{where}: {why}" for why in _amiss(entry, then, last, seen))
                was_unproven = last is not None and last.code == UNPROVEN
            is_after = entry.kind == "requested" and last is not None and last.code == AGAIN and not was_unproven
            if is_after and entry.execution_id not in by_hand:
                yield f"{where}: {entry.execution_id} was requested by nobody after the job was judged again"
            if entry.status in CONCLUDING and entry.execution_id and entry.kind not in {"result", *AFTERWARDS}:
                last = entry


def nothing_follows_what_is_unproven(seen: Observed) -> Iterator[str]:
    """What a judge does not prove calls no agent, and is no submission, unless somebody asks for it."""
    by_hand = {asked.execution_id for asked in seen.asked}
    for job_id, log in _logs_of_jobs(seen).items():
        for entry, then in pairwise(log):
            if entry.code == UNPROVEN and then.kind == "requested" and then.execution_id not in by_hand:
                yield f"{job_id} version {then.version}: {then.execution_id} was requested since a judge proved nothing"


def _logs_of_jobs(seen: Observed) -> dict[str, list[LogRow]]:
    """The logs of honest jobs: others judge again and ask for what they like."""
    entries, hostile = defaultdict(list), seen.hostile_jobs
    for entry in sorted(seen.logs, key=lambda e: e.version):
        if entry.job_id not in hostile:
            entries[entry.job_id].append(entry)
    return entries


def _amiss(entry: LogRow, then: LogRow | None, last: LogRow | None, seen: Observed) -> Iterator[str]:
    if not real_ones(seen, entry.job_id):
        yield "was judged again, for which nobody had asked"
    if last is None or last.execution_id != entry.execution_id:
        yield f"{entry.execution_id} was judged again, and {last and last.execution_id} had ended since"
    if then is None or then.kind not in VERDICTS or (then.execution_id, then.code) != (entry.execution_id, AGAIN):
        yield f"was judged again, and what follows is {then and then.kind}"
    elif last is not None and then.submission != last.submission:
        yield f"was judged again as submission {then.submission}, and was {last.submission}"


def judging_again_ends(seen: Observed) -> Iterator[str]:
    """Each item has an answer, which its job's log bears out; what rested all the while is not refused."""
    for one in seen.rejudged:
        what = "a shadow" if one.shadow else "judging again"
        if one.state != "DONE" or "WAITING" in one.outcomes.values():
            yield f"{what} never ended: {one.state}, {Counter(one.outcomes.values())}"
            continue
        of = defaultdict(list)
        for entry in seen.logs:
            if entry.job_id in one.outcomes:
                of[entry.job_id].append(entry)
        for job_id, outcome in one.outcomes.items():
            made = sum(e.kind == "rejudged" for e in of[job_id])
            if not one.shadow and made != (outcome == "DONE"):
                yield f"{what} of {job_id} came to {outcome}, and its log has {made} of it"
            if outcome != "DONE" and not outcome.startswith(MAY_REFUSE) and _rested(of[job_id], one):
                yield f"{what} of {job_id} was refused ({outcome}), though it rested with a result"


def _rested(log: Sequence[LogRow], one: Rejudged) -> bool:
    """Whether a job rested, with a result, from before an operation was made until it had ended."""
    before = [entry for entry in log if entry.at < one.began_at - SLACK_S]
    meanwhile = [entry for entry in log if one.began_at - SLACK_S <= entry.at <= one.ended_at]
    if not before or meanwhile or before[-1].job_status not in RESTING or before[-1].kind == "removed":
        return False
    last = next((entry.execution_id for entry in reversed(before) if entry.execution_id), None)
    return any(entry.kind == "result" and entry.execution_id == last for entry in before)


def results_are_recorded_once(seen: Observed) -> Iterator[str]:
    """No result is recorded twice, also not by judging it again."""
    told = Counter(entry.execution_id for entry in seen.logs if entry.kind == "result")
    yield from (f"{times} results of {execution_id} were recorded" for execution_id, times in told.items() if times > 1)
