"""What came of a run, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from faults.checking.canaries import HOSTILE
from faults.checking.checker import stories
from faults.checking.models import NO_PROGRESS
from faults.checking.observed import Fault, Observed, Record, Rejudged, Terms, Violation
from faults.checking.report import report
from faults.checking.tenants import refused_at, waits
from faults.schedule import Planned, deck, planned
from faults.stack.crowd import STRAYS
from faults.stack.keeper import BY_OPERATION, BY_RETENTION, HELD
from faults.stack.operator import REAL, SHADOW
from faults.stack.wishes import CANCEL_DOORS, DOORS, FURTHER, JOBS_A_WISH
from faults.stack.world import CONSOLES, numbered


@dataclass(frozen=True, slots=True)
class Storm:
    """How much of it, and from which seed."""

    seed: int
    jobs: int
    faults: int
    fault_every_s: float = 4.5
    forges_facts: bool = True
    jobstores: int = 2
    #: Whether there is a hostile tenant.
    tenants: bool = True
    terms: Terms = field(default_factory=Terms)
    #: Whether Kafka has TLS, users and ACLs.
    secure: bool = False
    #: Whether jobs are removed meanwhile, by retentions and by filters.
    retention: bool = False

    @property
    def plan(self) -> Sequence[Planned]:
        return planned(self.seed, self.faults, self.fault_every_s, self.terms, self.jobstores)

    @property
    def deck(self) -> Sequence[tuple[str, str]]:
        return deck(self.jobstores)

    @property
    def wishes(self) -> int:
        """How many clients there are; the doors that they draw make it a few jobs more or less."""
        return round(self.jobs * 1.03 / JOBS_A_WISH)

    @property
    def calm_s(self) -> float:
        """How long there are no faults of ours at first, and the adversary alone does what it can."""
        return 60.0 if any(planned.alone for planned in self.plan) else 8.0

    @property
    def lasts_s(self) -> float:
        return self.calm_s + max((planned.after_s + planned.lasts_s for planned in self.plan), default=0.0)

    @property
    def is_long(self) -> bool:
        """Whether most faults come twice, and the others once, so that each should be seen to act."""
        return self.faults >= 2 * len(set(self.deck))


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    storm: Storm
    seen: Observed
    violations: Sequence[Violation] = ()
    odd: Sequence[str] = ()
    impossible: Sequence[Planned] = ()
    took_s: float = 0.0
    #: What ended it early: then nothing was checked, and what was seen lacks what the doors and the topics say.
    broken_off: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether all of it was done, and nothing found."""
        return self.broken_off is None and not self.violations and not self.untried

    @property
    def untried(self) -> Sequence[str]:
        """Faults, doors and leaders that a long run should have had, and this one had not."""
        if not self.storm.is_long:
            return []
        tried = {f"{f.kind} {f.target}" for f in self.seen.faults if f.acted}
        tried |= {f"{p.kind} {p.target}" for p in self.impossible}
        tried |= {f"asking by {asked.door}" for asked in self.seen.asked}
        tried |= {f"cancelling by {cancel.door}" for cancel in self.seen.cancels}
        tried |= {f"publishing by {jobstore}" for jobstore in self.seen.leaders}
        tried |= set(self.seen.did) | {f"calling {call.agent}" for call in self.seen.agent_calls}
        wanted = {f"{kind} {target}" for kind, target in self.storm.deck}
        wanted |= {f"publishing by {jobstore}" for jobstore in numbered("jobstore", self.storm.jobstores)}
        wanted |= {f"asking by {door}" for door in (*DOORS, "resubmit", "anew")}
        wanted |= {f"cancelling by {door}" for door in CANCEL_DOORS} | {f"calling {agent}" for agent in FURTHER}
        tried |= {f"revoked at {door}" for door in refused_at(self.seen)}
        if self.storm.tenants:
            doors = (*numbered("jobstore", self.storm.jobstores), *CONSOLES)
            wanted |= {f"revoked at {door}" for door in doors}
        if self.storm.retention:
            wanted |= {BY_RETENTION, BY_OPERATION, HELD}
        tried |= {NO_PROGRESS for entry in self.seen.logs if entry.code == NO_PROGRESS}
        return sorted((wanted | {REAL, SHADOW, NO_PROGRESS, STRAYS}) - tried)

    def _rejudged(self) -> Iterable[tuple[Rejudged, str]]:
        return ((one, f"{SHADOW if one.shadow else REAL} by {one.judge or 'their own'}") for one in self.seen.rejudged)

    def __str__(self) -> str:
        seen = self.seen
        parts = {
            "faults without effect": _faults(fault for fault in seen.faults if not fault.acted),
            "faults that cannot be done here": _counted(f"{p.kind} {p.target}" for p in self.impossible),
            "never tried": ", ".join(self.untried),
            "rebalances": ", ".join(f"{group} {count}" for group, count in sorted(seen.rebalances.items())),
            "began to publish": _counted(seen.leaders),
            "asked": _counted(f"{a.door}: {a.settled}" for a in seen.asked),
            "cancelled": _counted(f"{cancel.door}: {cancel.settled}" for cancel in seen.cancels),
            "done besides": ", ".join(f"{what} {count}" for what, count in sorted(seen.did.items())),
            "jobs": _counted(job.status for job in seen.jobs),
            "removed": _counted(entry.job_status for entry in seen.logs if entry.kind == "removed"),
            "asked of removed jobs": _counted(f"{one.door}: {one.code}" for one in seen.barred),
            "answers": _counted(str(execution.answer) for execution in seen.executions),
            "log": _counted(entry.code for entry in seen.logs if entry.code),
            "agent calls": _counted(call.ended for call in seen.agent_calls),
            **{f"calls of {name}": _counted(c.ended for c in seen.agent_calls if c.agent == name) for name in FURTHER},
            "judge calls": _counted(call.said for call in seen.judge_calls),
            "judged by": _counted(f"{e.policy or 'their own'}: {e.kind}" for e in seen.logs if e.stages),
            **{name: _counted(one.outcomes.values()) for one, name in self._rejudged()},
            "memory, MiB": ", ".join(f"{name} {size >> 20}" for name, size in sorted(seen.rss.items())),
            "deaths": _counted(f"{death.name} {death.status}" for death in seen.deaths),
            "forged": f"{len(seen.forged)} records, {len(seen.copied)} written again, {len(seen.adversary_jobs)} jobs",
            "dead letters": _counted(_code(r) for t, rs in seen.topics.items() if t.endswith("-dlq") for r in rs),
            "odd answers": _counted(self.odd),
            **_hostile(seen),
        }
        head = f"seed {self.storm.seed}: {len(seen.jobs)} jobs, {len(seen.executions)} executions, "
        head += f"{len(seen.faults)} faults, {self.took_s:.0f} s"
        lines = [head, *(f"  {name}: {value}" for name, value in parts.items() if value)]
        lines += report(seen).lines()
        if self.broken_off is not None:
            return "\n".join([*lines, "  broken off, and not checked:", self.broken_off])
        return "\n".join([*lines, stories(self.violations) or "  every invariant holds"])


def _hostile(seen: Observed) -> dict[str, str]:
    """How far the hostile tenant came, and how long others waited to begin beside it."""
    if seen.hostile is None:
        return {}
    answers, waited_s = seen.hostile.answers, sorted(waited_s for *_, waited_s in waits(seen))
    codes = Counter(code for each, times in answers.items() for code in [each.rpartition(": ")[2]] * times)
    let_in = [at - one.at for one in seen.hostile.revoked for _, at, is_let_in in one.asked if is_let_in]
    doors = len({each.rpartition(": ")[0] for each in answers})
    middle_s, most_s = (waited_s[len(waited_s) // 2], waited_s[-1]) if waited_s else (0.0, 0.0)
    return {
        f"{HOSTILE} was told": f"{seen.hostile.told >> 10} KiB by {doors} doors: {_counted(codes.elements())}",
        f"{HOSTILE} had": f"{len(seen.hostile_jobs)} jobs, and wrote {len(seen.hostile.wrote)} records that it may not",
        "revoked": f"{len(seen.hostile.revoked)} tokens; one was let in {max(let_in, default=0.0):.1f} s later at most",
        "waits beside it": f"{middle_s:.1f} s in the middle, {most_s:.1f} s at most, without the time of faults",
    }


def _faults(faults: Iterable[Fault]) -> str:
    return _counted(f"{fault.kind} {fault.target}" for fault in faults)


def _code(letter: Record) -> str:
    return dict(letter.headers).get("dlq-error-code", b"?").decode()


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in sorted(Counter(words).items(), key=lambda item: -item[1]))
