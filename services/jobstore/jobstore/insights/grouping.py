"""Group what needs somebody by what it needs, the urgent first. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from contracts.waiting import WaitCode, join_reason
from signoff.errors import ErrorCode
from signoff.status import InboxKind, JobStatus, OperationKind
from signoff.types import DeadLetter, InboxGroup, InboxOperation, JobFilter, WaitingSum

#: The statuses of jobs that ended and are not accepted.
REFUSED: Final = (JobStatus.RESUBMISSION_REQUIRED, JobStatus.REJECTED)
#: The highest number of groups.
GROUPS_MAX: Final = 100

_KINDS: Final[Mapping[str, InboxKind]] = {
    WaitCode.LIMITS_LOST: InboxKind.LIMITS_LOST,
    WaitCode.NO_WORKER: InboxKind.NO_WORKER,
    WaitCode.JUDGE_MISSING: InboxKind.NO_WORKER,
    WaitCode.PROTOCOL_NOT_CALLED: InboxKind.NO_WORKER,
    WaitCode.JUDGE_AWAY: InboxKind.JUDGE_AWAY,
    WaitCode.CIRCUIT_OPEN: InboxKind.CIRCUIT_OPEN,
    WaitCode.CIRCUIT_PROBING: InboxKind.CIRCUIT_OPEN,
    WaitCode.LIMIT_PAUSED: InboxKind.PAUSED,
    WaitCode.NO_AGENT_MATCHES: InboxKind.NO_AGENT_MATCHES,
    WaitCode.AGENT_DISABLED: InboxKind.NO_AGENT_MATCHES,
    WaitCode.LIMIT_USD_PER_DAY: InboxKind.BUDGET,
}
_URGENCY: Final = {kind: place for place, kind in enumerate(InboxKind)}


@dataclass(frozen=True, slots=True)
class Ended:
    """Jobs that failed by the same agent and code, or whose results did not pass the same criterion.

    `resubmittable`: how many of them have submissions left; `has_more`: more may have ended so than were counted.
    """

    is_failed: bool
    agent_id: str | None
    code: str | None
    criterion: str | None
    count: int
    resubmittable: int
    has_more: bool
    since: datetime
    newest_at: datetime
    job_id: str
    message: str | None = None


class Newest(NamedTuple):
    """The newest job of a group."""

    id: str
    title: str
    updated_at: datetime


#: How many dead letters of a topic are open, the oldest and the newest, where these can be read.
Letters: TypeAlias = tuple[int, DeadLetter | None, DeadLetter | None]


@dataclass(frozen=True, slots=True)
class Snooze:
    """A group that was put off when it had `count` jobs: until it has more, or until a time."""

    until: datetime
    count: int


def group_waits(sums: Iterable[WaitingSum], tenant: str = "") -> list[InboxGroup]:
    """Return groups of executions that wait for what somebody has to do; others wait for their turn, or a time.

    `tenant`: the one whose executions these are, if they are those of one.
    """
    return [_group_wait(each, _KINDS[each.code], tenant) for each in sums if each.code in _KINDS]


def _group_wait(each: WaitingSum, kind: InboxKind, tenant: str) -> InboxGroup:
    return InboxGroup(
        id=make_id(kind, each.code, each.name),
        kind=kind,
        code=each.code,
        name=each.name,
        count=each.count,
        since=each.since,
        remedy=each.remedy,
        resume=each.name if kind is InboxKind.PAUSED else None,
        filter=_make_filter(tenant=tenant, reasons=[join_reason(each.code, each.name)]),
    )


def group_ended(
    rows: Iterable[Ended], created_after: datetime | None = None, tenant: str = "", batch_id: UUID | None = None
) -> list[InboxGroup]:
    """Return groups of jobs that ended and are not accepted, of those created after a time, or of a batch."""
    chosen = {"tenant": tenant, "created_after": created_after, "batch_id": batch_id}
    return [_group_failed(row, chosen) if row.is_failed else _group_refused(row, chosen) for row in rows]


def _group_failed(row: Ended, chosen: Mapping[str, object]) -> InboxGroup:
    codes = [] if row.code is None else [row.code]
    found = _make_filter(**{**chosen, "statuses": [JobStatus.FAILED], "agent_id": row.agent_id, "codes": codes})
    is_spent = row.code == ErrorCode.BUDGET_EXHAUSTED
    kind = InboxKind.BUDGET if is_spent else InboxKind.FAILED
    retry = None if is_spent else InboxOperation(kind=OperationKind.RETRY, filter=found)
    id_ = make_id(kind, row.agent_id or "", row.code or "")
    return _describe(row, id=id_, kind=kind, filter=found, operation=retry, remedy=_advise(row.code))


def _advise(code: str | None) -> str:
    known = {each.value: each.sentence for each in ErrorCode}
    return known.get(str(code), "the newest says why; once that is mended, execute them again")


def _group_refused(row: Ended, chosen: Mapping[str, object]) -> InboxGroup:
    def choose(statuses: Sequence[JobStatus]) -> JobFilter:
        return _make_filter(**{**chosen, "statuses": statuses, "criterion_not_met": row.criterion})

    operation = InboxOperation(kind=OperationKind.RESUBMIT, filter=choose(REFUSED[:1])) if row.resubmittable else None
    remedy = "ask for the next submission, which is told what was not met; or edit what is asked for, if that is wrong"
    if operation is None:
        remedy = "they have no submission left: assign them to an agent again, or edit what is asked for"
    kind = InboxKind.NOT_ACCEPTED
    id_ = make_id(kind, row.criterion or "")
    return _describe(row, id=id_, kind=kind, filter=choose(REFUSED), operation=operation, remedy=remedy)


def _describe(row: Ended, **about: object) -> InboxGroup:
    counted = {name: getattr(row, name) for name in ("count", "has_more", "since", "newest_at", "message")}
    what = {"code": row.code or "", "agent_id": row.agent_id, "criterion": row.criterion, "newest_job_id": row.job_id}
    return InboxGroup.model_validate({**counted, **what, **about})


def group_letters(open_letters: Mapping[str, Letters]) -> list[InboxGroup]:
    """Return a group for each topic with open dead letters."""
    return [
        InboxGroup(
            id=make_id(InboxKind.DEAD_LETTERS, topic),
            kind=InboxKind.DEAD_LETTERS,
            name=topic,
            count=count,
            since=oldest and oldest.at,
            newest_at=newest and newest.at,
            message=newest and (newest.message or newest.code),
            remedy="see why they could not be processed: signoff dlq list; then redrive or discard them",
        )
        for topic, (count, oldest, newest) in open_letters.items()
    ]


def list_reasons(groups: Iterable[InboxGroup]) -> list[str]:
    """Return for what the jobs of groups wait."""
    return [reason for group in groups if group.filter for reason in group.filter.reasons]


def name_newest(
    groups: Iterable[InboxGroup], waiting: Mapping[str, str], newest: Mapping[str, Newest]
) -> list[InboxGroup]:
    """Return groups with their newest jobs, of which `waiting` has those that wait for a reason, and `newest` all."""

    def name(group: InboxGroup) -> InboxGroup:
        ids = [group.newest_job_id, *(waiting.get(reason) for reason in list_reasons([group]))]
        job = next((newest[each] for each in ids if each is not None and each in newest), None)
        if job is None:
            return group
        about = {"newest_job_id": job.id, "newest_title": job.title, "newest_at": group.newest_at or job.updated_at}
        return group.model_copy(update=about)

    return [name(group) for group in groups]


def sort_groups(groups: Collection[InboxGroup]) -> list[InboxGroup]:
    """Return up to GROUPS_MAX groups, the urgent first, and of one kind the largest."""
    return sorted(groups, key=lambda group: (_URGENCY[InboxKind(group.kind)], -group.count, group.id))[:GROUPS_MAX]


def put_off(groups: Iterable[InboxGroup], snoozes: Mapping[str, Snooze], now: datetime) -> list[InboxGroup]:
    """Return groups with the time until which each is put off, unless that has passed, or the group has grown."""

    def find_until(group: InboxGroup) -> datetime | None:
        snooze = snoozes.get(group.id)
        return snooze.until if snooze is not None and now < snooze.until and group.count <= snooze.count else None

    return [group.model_copy(update={"snoozed_until": find_until(group)}) for group in groups]


def make_id(kind: InboxKind, *about: str) -> str:
    """Return the id of a group, which is in addresses: about the same it is the same."""
    digest = sha256("\0".join(about).encode()).hexdigest()
    return f"{kind.value}-{digest[:12]}"


def _make_filter(**chosen: object) -> JobFilter:
    return JobFilter.model_validate({**chosen, "tenant": chosen["tenant"] or None})
