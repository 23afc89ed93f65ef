"""What each client wants, and what may come of it: drawn from the seed, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from contracts.resources import NewJob, NewLimit, Policy
from faults.checking.canaries import CANARY, PRESS
from faults.checking.judging import POLICIES
from faults.checking.observed import BACKGROUND, CHAT, FUNCTION, GRAPH, MODELS, TASKS, Model
from faults.stack.strangers import (
    CHECKED,
    CRITERIA,
    DEAR,
    DRIPPING,
    HABITS,
    LUNAR,
    MOON,
    OF_PRESS,
    SKY,
    SKY_AGENTS,
    STEADY,
    SUBMISSIONS,
)
from signoff.status import Delivery, Resubmit

DOORS = ("grpc", "rest", "rest key", "cli", "event", "event inline", "batch", "rest batch", "filter")
CANCEL_DOORS = ("grpc", "rest", "event", "grpc execution", "rest execution")
#: Doors that take companions along.
MANY_DOORS = ("batch", "rest batch", "filter")
#: Those of them that name each job.
NAMING_DOORS = ("batch", "rest batch")
#: As which edition a job is sent that must never be, and the tenant of one that came too late.
TWIN_EDITION, LATE = 99, "late"
#: Doors of jobs that are there before they are asked for, and of which nobody else says what they are.
_EDITED_DOORS = ("grpc", "rest", "rest key", "cli")
_DOOR_WEIGHTS = (6, 6, 6, 1, 6, 6, 4, 4, 3)
JOBS_A_WISH = 1 + 2 * sum(
    weight for door, weight in zip(DOORS, _DOOR_WEIGHTS, strict=True) if door in MANY_DOORS
) / sum(_DOOR_WEIGHTS)
#: Kinds of jobs of agents that are not the steady one, and how often in a hundred.
KINDS = {
    "plain": 43,
    "matched": 14,
    "moonlit": 5,
    "automatic": 13,
    "handed over": 9,
    "repeated": 4,
    "budgeted": 8,
    "large": 4,
}
#: Agents of further protocols, in turn, and of how many wishes one is for them.
FURTHER, FURTHER_EVERY = (GRAPH, BACKGROUND, TASKS, FUNCTION, CHAT), 5
#: Of a job and all that stands around its payload; the limit is 1 MiB.
PADDING_MAX_BYTES = (1 << 20) - 4_096
BUDGET_TOKENS = 250
#: To whom a job goes that is assigned anew after it was rejected.
ASSIGNED_ANEW = "slow"
#: Judge policies as jobs name them: by version, or by name alone.
JUDGES = (*POLICIES, "quorum", "cascade")
BOOKS = 4
LIMITS = {
    "agent:slow": NewLimit(concurrency=6),
    f"agent:{PRESS}:{CANARY}-slow": NewLimit(concurrency=6),
    f"tenant:{PRESS}": NewLimit(rate=24, weight=2),
    "label:book=*": NewLimit(concurrency=2),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What one client wants."""

    job_id: str
    execution_id: UUID
    door: str
    agent: str | None
    repeats: int
    lacking: int
    cancel_door: str | None
    cancel_after_s: float
    capabilities: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    padding: str = ""
    tenant: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    #: When the job is edited: before it is asked for, while it is live, and once it rests, to be executed again.
    edits: frozenset[str] = frozenset()
    #: What is done to its batch: paused and resumed, cancelled, or retried.
    control: str | None = None
    #: Whether its batch has a companion once more, as another job, and may name one that another tenant makes later.
    has_strays: bool = False
    #: Whether the agents answer what lacks something by the same each time.
    is_repeated: bool = False

    @property
    def job(self) -> NewJob:
        return self._job(self.job_id)

    @property
    def companions(self) -> list[NewJob]:
        """New jobs that are asked for in the same batch."""
        return [self._job(f"{self.job_id}-{number}") for number in (1, 2)]

    @property
    def twin(self) -> NewJob:
        """A job with the id of a companion and other contents."""
        return self.companions[0].model_copy(update={"payload": self.payload(TWIN_EDITION, self.companions[0].id)})

    @property
    def late(self) -> NewJob:
        """Another tenant's job, of which a batch knew nothing when it named it."""
        return self._job(f"{LATE}:{self.job_id}", LATE)

    @property
    def bulk(self) -> dict[str, str]:
        """The labels by which the job and its companions are found."""
        return {"bulk": self.job_id}

    def payload(self, edition: int, job_id: str | None = None) -> dict[str, Any]:
        """What the agent is sent; `edition` counts the edits."""
        job = job_id or self.job_id
        says = {"agent": self.agent or "", "lacking": self.lacking, "edition": edition, "job": job}
        says["canary"] = f"{CANARY}-payload"
        more = {"padding": self.padding, "repeated": self.is_repeated}
        return {**says, **{name: value for name, value in more.items() if value}}

    @property
    def models(self) -> dict[str, Model]:
        """By job, what may come of it."""
        ids = [self.job_id, *(job.id or "" for job in self.companions if self.door in MANY_DOORS)]
        agents = {self.agent} if self.agent else SKY_AGENTS if SKY in self.capabilities else {LUNAR}
        model = Model(
            agents=frozenset({*agents, *({ASSIGNED_ANEW} if "after" in self.edits else ())}),
            lacking=self.lacking,
            max_submissions=self.policy.max_submissions or SUBMISSIONS,
            automatic=self.policy.resubmit is Resubmit.AUTOMATIC,
            budget_tokens=self.policy.budget_tokens,
            tenant=self.tenant,
            book=self.labels.get("book"),
            is_once=self.policy.delivery is Delivery.AT_MOST_ONCE,
            is_large=bool(self.padding),
            judge=self.policy.judge and frozen(self.policy.judge),
        )
        return dict.fromkeys(ids, model)

    def _job(self, job_id: str, tenant: str | None = None) -> NewJob:
        tenant = tenant or self.tenant
        return NewJob(
            id=job_id,
            title=f"Describe the sky, for {self.agent or 'whoever can'}, {CANARY}-title",
            acceptance_criteria=CHECKED if self.policy.judge else CRITERIA,
            agent_id=name_agent(self.agent, tenant),
            capabilities=list(self.capabilities),
            payload=self.payload(0, job_id),
            policy=self.policy,
            tenant=tenant,
            labels={"canary": f"{CANARY}-label", **self.labels, **(self.bulk if self.door == "filter" else {})},
        )


def name_agent(agent: str | None, tenant: str) -> str | None:
    """Return the id of an agent for a tenant's jobs: one has most of them as its own, and shares none."""
    return f"{PRESS}:{CANARY}-{agent}" if tenant == PRESS and agent in OF_PRESS else agent


def frozen(judge: str) -> str:
    """The version that a name stands for: later ones are current once somebody promotes them, and nobody does."""
    return judge if "@" in judge else f"{judge}@1"


def wish(seed: int, number: int) -> Wish:
    """The wish with a number."""
    random = Random(f"crowd/{seed}/{number}")
    further = FURTHER[number // FURTHER_EVERY % len(FURTHER)] if number % FURTHER_EVERY == 0 else None
    is_steady = random.random() < 0.3 and further is None
    execution_id = UUID(int=random.getrandbits(128), version=4)
    (door,) = random.choices(DOORS, _DOOR_WEIGHTS)
    own = {"agent": STEADY, "lacking": 0, "tenant": _drawn_tenant(random, 0.5)} if is_steady else _drawn(random)
    if further is not None:
        own = _drawn_of_further(random, further)
    if MOON in own.get("capabilities", ()):
        door = random.choice(_EDITED_DOORS)
    if (judge := _drawn_judge(seed, number)) is not None:
        own["policy"] = own.get("policy", Policy()).model_copy(update={"judge": judge})
    edits = frozenset(when for when in ("before", "live", "after") if random.random() < 0.15)
    is_once_executed = own["agent"] in MODELS
    controls = (None, "pause", "cancel") if is_once_executed else (None, "pause", "cancel", "retry")
    return Wish(
        job_id=f"{PRESS}:storm-{seed}-{number}" if own.get("tenant") == PRESS else f"storm-{seed}-{number}",
        execution_id=execution_id,
        door=door,
        repeats=0 if door == "cli" else random.choice((0, 0, 0, 1, 2)),
        cancel_door=random.choice(CANCEL_DOORS) if random.random() < 0.15 else None,
        cancel_after_s=random.choice((0.0, 0.05, 0.2, 1.0, 3.0)),
        edits=edits if door in _EDITED_DOORS and not (is_steady or is_once_executed) else frozenset(),
        control=random.choice(controls) if door in MANY_DOORS and not is_steady else None,
        has_strays=door in NAMING_DOORS and number % 3 == 0,
        **own,
    )


def _drawn_judge(seed: int, number: int) -> str | None:
    random = Random(f"judge/{seed}/{number}")
    return random.choice(JUDGES) if random.random() < 0.35 else None


def _drawn(random: Random) -> dict[str, Any]:
    """Whose the job is, how it is run, and what holds it back."""
    (kind,) = random.choices(tuple(KINDS), tuple(KINDS.values()))
    lacking = random.choice((0, 0, 0, 0, 1, 2))
    others = {STEADY, LUNAR, DEAR, DRIPPING, *FURTHER}
    agent = random.choice([name for name in HABITS if name not in others])
    automatic = Policy(resubmit=Resubmit.AUTOMATIC, max_submissions=3)
    own: dict[str, Any] = {
        "plain": {"agent": agent},
        "matched": {"agent": None, "capabilities": (SKY,)},
        "moonlit": {"agent": None, "capabilities": (MOON,)},
        "automatic": {"agent": agent, "policy": automatic, "lacking": random.choice((1, 2, 3))},
        "handed over": {
            "agent": None,
            "capabilities": (SKY,),
            "policy": automatic.model_copy(update={"hand_over_after": 1}),
            "lacking": random.choice((1, 2, 3)),
        },
        "repeated": {
            "agent": None,
            "capabilities": (SKY,),
            "policy": automatic.model_copy(update={"max_submissions": 6, "hand_over_after": 1, "judge": JUDGES[0]}),
            "lacking": 9,
            "is_repeated": True,
        },
        "budgeted": {
            "agent": DEAR,
            "policy": automatic.model_copy(update={"max_submissions": 9, "budget_tokens": BUDGET_TOKENS}),
            "lacking": 9,
        },
        "large": {"agent": agent, "padding": _padding(random)},
    }[kind]
    tenant = _drawn_tenant(random, 0.25)
    labels = {"book": str(random.randrange(BOOKS))} if random.random() < 0.2 else {}
    return {"lacking": lacking, "tenant": tenant, "labels": labels, **own}


def _drawn_tenant(random: Random, share_of_press: float) -> str:
    return PRESS if random.random() < share_of_press else "default"


def _drawn_of_further(random: Random, agent: str) -> dict[str, Any]:
    """How a job of an agent of a further protocol is run: a third of them at most once, some submitted by policy."""
    policy = Policy(delivery=random.choice((None, None, Delivery.AT_MOST_ONCE)))
    automatic = Policy(resubmit=Resubmit.AUTOMATIC, max_submissions=3)
    return {
        "agent": agent,
        "policy": policy.over(automatic) if random.random() < 0.3 and agent not in MODELS else policy,
        "lacking": 0 if agent in MODELS else random.choice((0, 0, 1)),
    }


def _padding(random: Random) -> str:
    """Text that does not compress well, of 4 KiB to nearly all that a job may have."""
    size = int(4_096 * (PADDING_MAX_BYTES / 4_096) ** random.random())
    return random.randbytes(size // 2).hex()
