"""What a run saw, from every side, as plain values; times are seconds of the wall clock, which all sides share."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from faults.checking.canaries import CANARY, HOSTILE

#: How a call of an agent ended, where the agent did its part.
ANSWERED, DECLINED = "answered", "declined"
#: The caller left first. What the agent did on purpose has names of its own: `status 500`, `dropped`, `hung`.
ABORTED = "aborted"
RUNNING = "running"
#: The agent that is called at most once.
ONCE = "once"
#: Agents of further protocols: models, asked by chat and in the background; a graph; an A2A server; a function.
CHAT, BACKGROUND, GRAPH, TASKS, FUNCTION = "chat", "background", "graph", "tasks", "function"
#: Those that name no execution, and of whose jobs each has one; those whose work is looked up; the name by a key.
MODELS, SHOWN, KEYED = frozenset({CHAT, BACKGROUND}), frozenset({GRAPH, TASKS}), frozenset({FUNCTION})
#: The statuses of entries that end an execution.
CONCLUDING = frozenset({"COMPLETED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED", "CANCELLED"})
#: Kinds of entries that end no execution, whatever they say: what comes of work that was cut short, and a removal.
AFTERWARDS = frozenset({"spent", "removed"})
#: The statuses of jobs at which nothing is under way.
RESTING = frozenset({"COMPLETED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED"})
#: Stands in whatever an adversary says; nothing that was recorded may repeat it.
FORGED = "forged by an adversary"
#: One more worker: of this version, of one to come, of one before.
VERSIONS = ("extra", "newer")


@dataclass(slots=True)
class AgentCall:
    """The agent's own record of one request. `pid` is the process that called, where that could be told."""

    agent: str
    execution_id: str
    job_id: str
    key: str | None
    body: str
    begun_at: float
    ended_at: float | None = None
    ended: str = RUNNING
    pid: int | None = None
    #: How often the job had been edited, as the request says.
    edition: int = 0


@dataclass(frozen=True, slots=True)
class JudgeCall:
    """The judge's own record: `said` is what it answered, `is_valid` only where something may follow from that."""

    execution_id: str
    at: float
    said: str
    is_valid: bool | None = None
    #: The digest of the result, or the section of it, that it was shown.
    judged: str | None = None
    model: str = ""


@dataclass(slots=True)
class Asked:
    """A client's record of one execution. `settled`: `accepted`, `published`, `unanswered`, or `refused: <code>`."""

    execution_id: str
    job_id: str
    agent: str
    door: str
    at: float
    settled: str
    settled_at: float
    cancelled: bool = False
    #: How often the job had been edited when it was asked for.
    edition: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a job before it runs, and so what it may come to."""

    #: Who may be called.
    agents: frozenset[str]
    #: So many submissions, counted from each assignment by hand, do not meet the criteria.
    lacking: int
    max_submissions: int
    automatic: bool = False
    budget_tokens: int | None = None
    tenant: str = "default"
    #: The value of a label that a limit goes by.
    book: str | None = None
    #: Whether its agents are called at most once.
    is_once: bool = False
    #: Whether its result may be more than the judge is asked about.
    is_large: bool = False
    #: The judge policy and version that is frozen with each execution. Who names one has a check, too.
    judge: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """None of these executions may begin from when the pause was answered until its end was asked for."""

    execution_ids: frozenset[str]
    began_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Rejudged:
    """An operation that judged results again, from before it was made until it was seen to have ended."""

    shadow: bool
    #: The judge policy and version; None: the validators' own.
    judge: str | None
    began_at: float
    ended_at: float
    state: str
    #: By job, what became of it: `DONE`, `WAITING`, or the code of a refusal.
    outcomes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A client's record of one cancellation: `done`, `published`, `unanswered`, or `refused: <code>`."""

    job_id: str
    door: str
    settled: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done to the system, and when it was over; `pid` where it was done to one process."""

    kind: str
    target: str
    began_at: float
    ended_at: float
    pid: int | None = None
    #: On how much it acted; 0: it passed unnoticed.
    acted: int = 1

    def within(self, begin: float, end: float) -> bool:
        return self.began_at <= end and begin <= self.ended_at


@dataclass(frozen=True, slots=True)
class Theft:
    """What a thief of these groups did alone; `named_at` is when `signoff doctor` had named it in all, None never."""

    groups: frozenset[str]
    began_at: float
    named_at: float | None
    ended_at: float


@dataclass(frozen=True, slots=True)
class Batched:
    """An answer to a batch: its id by its key, and the code of each item with another's id and other contents."""

    key: str
    id: str
    conflicts: Sequence[str | None] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """A process that was told to stop: how long it took (None: it never did), and its exit status."""

    name: str
    pid: int
    told_at: float
    took_s: float | None
    status: int | None


@dataclass(frozen=True, slots=True)
class Death:
    """A process of the stack that ended and was started again; a negative status is a signal."""

    name: str
    at: float
    status: int


@dataclass(frozen=True, slots=True)
class JobRow:
    id: str
    status: str
    version: int
    live: bool
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    execution_id: str
    job_id: str
    state: str
    answer: str | None
    requested: bool


@dataclass(frozen=True, slots=True)
class LogRow:
    job_id: str
    version: int
    id: str
    status: str
    job_status: str
    kind: str
    at: float
    code: str | None = None
    execution_id: str | None = None
    attempt: int | None = None
    lease: int | None = None
    event_id: str | None = None
    agent_id: str | None = None
    submission: int | None = None
    #: Of the job, after it.
    tokens: int = 0
    is_valid: bool | None = None
    #: The digests of what a judge may be shown of the agent's result: of all of it or, where it is long, each section.
    shown: tuple[str, ...] = ()
    #: Whether it repeats what an adversary said.
    forged: bool = False
    #: Of a verdict: the policy and version that it names, and the kinds of its stages.
    policy: str | None = None
    stages: tuple[str, ...] = ()

    @property
    def agent(self) -> str:
        """The agent as its own record names it, whichever tenant's id it has."""
        return (self.agent_id or "").rpartition(f"{CANARY}-")[2]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that no consumer can process."""

    value: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """What publishing a topic again changed: rows that differ, and calls that followed."""

    topic: str
    with_header: bool
    differences: Sequence[str]
    agent_calls: int
    judge_calls: int


@dataclass(frozen=True, slots=True)
class Barred:
    """What was answered of a job that was removed: at which door, and the code."""

    job_id: str
    door: str
    code: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What the run promised to hold."""

    #: More than it takes until a jobstore is left that is frozen.
    lease_s: float = 5.0
    grace_s: float = 4.0
    #: Beyond the grace time: what a process needs to close its connections and end.
    ending_s: float = 8.0
    #: Of which a flood for one agent leaves a fifth to all others.
    capacity: int = 150
    attempt_timeout_s: float = 6.0
    rss_max_bytes: int = 400 << 20
    #: From acceptance to the end, for a job of a healthy agent while nothing is broken.
    delay_max_s: float = 12.0
    #: From acceptance to its first claim, for such a job.
    begins_max_s: float = 10.0
    #: From when a thief joins a group until `signoff doctor` names it, and from when it leaves until all goes on.
    named_max_s: float = 40.0
    goes_on_max_s: float = 10.0
    #: What half of them take at most, on a machine of the usual speed.
    delay_usual_s: float = 3.0
    #: After a fault is over, what its consequences may take.
    settle_s: float = 12.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a hostile tenant was told, where others' words or ids that it had not heard before stand in it."""

    by: str
    caller: str
    at: float
    code: str
    words: Sequence[str] = ()
    ids: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Revoked:
    """A token, when its revocation was answered, and what it opened after that.

    `asked` has for each request its door, when it was begun, and whether it was let in; `streams` the doors at which
    one was open, and when it ended; None: it went on.
    """

    name: str
    at: float
    asked: Sequence[tuple[str, float, bool]] = ()
    streams: Sequence[tuple[str, float | None]] = ()


@dataclass(slots=True)
class Hostility:
    """What a hostile tenant did, and was told."""

    heard: list[Heard] = field(default_factory=list)
    revoked: list[Revoked] = field(default_factory=list)
    #: How often doors answered it, by door and code; and how many characters it was told.
    answers: Counter[str] = field(default_factory=Counter)
    told: int = 0
    #: Others' words and ids that it named itself: answers may repeat them.
    named: set[str] = field(default_factory=set)
    #: What it wrote to topics and may not, by topic and body.
    wrote: set[tuple[str, bytes]] = field(default_factory=set)
    #: Execution ids that it chose.
    execution_ids: set[str] = field(default_factory=set)
    #: What its agents were sent and a door took for a token, in words.
    stolen: list[str] = field(default_factory=list)
    #: The most jobs that it was told there are.
    counted: int = 0


@dataclass(slots=True)
class Observed:
    """Everything."""

    terms: Terms = field(default_factory=Terms)
    jobs: Sequence[JobRow] = ()
    executions: Sequence[ExecutionRow] = ()
    logs: Sequence[LogRow] = ()
    topics: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    agent_calls: Sequence[AgentCall] = ()
    judge_calls: Sequence[JudgeCall] = ()
    asked: Sequence[Asked] = ()
    #: By job, what may come of it; of an adversary's jobs nothing is known.
    models: Mapping[str, Model] = field(default_factory=dict)
    pauses: Sequence[Pause] = ()
    rejudged: Sequence[Rejudged] = ()
    #: By name, how many executions may be with executors at once; `label:book=*` is of each value by itself.
    concurrency: Mapping[str, int] = field(default_factory=dict)
    #: By tenant, how many executions may begin in a second.
    rates: Mapping[str, int] = field(default_factory=dict)
    cancels: Sequence[Cancelled] = ()
    batched: Sequence[Batched] = ()
    #: What clients and operators did besides, in words, and how often.
    did: Mapping[str, int] = field(default_factory=dict)
    #: By watch, what it was told.
    watched: Sequence[Sequence[tuple[str, int]]] = ()
    faults: Sequence[Fault] = ()
    thefts: Sequence[Theft] = ()
    stops: Sequence[Stop] = ()
    deaths: Sequence[Death] = ()
    #: What never got ready again after it was ended, in words.
    lost: Sequence[str] = ()
    poison: Sequence[Poison] = ()
    replays: Sequence[Replayed] = ()
    #: What an adversary wrote, and what it wrote again as it was, by topic and body; and the jobs that it asked for.
    forged: AbstractSet[tuple[str, bytes]] = frozenset()
    copied: AbstractSet[tuple[str, bytes]] = frozenset()
    adversary_jobs: AbstractSet[str] = frozenset()
    #: By process name, the most bytes that one was seen to hold.
    rss: Mapping[str, int] = field(default_factory=dict)
    #: The jobstores in the order in which each began to publish facts.
    leaders: Sequence[str] = ()
    #: What `signoff verify` said of tables made again from the facts; None: they are the same.
    rebuilt: str | None = None
    #: The same in the midst of the storm: that what was rebuilt is a part of what there is. None: it is.
    rebuilt_midst: str | None = None
    #: How often the broker said that it assigns a group's partitions anew, by group.
    rebalances: Mapping[str, int] = field(default_factory=dict)
    #: What a hostile tenant did and was told; None: there was none.
    hostile: Hostility | None = None
    #: By job, when it was answered that it is held, which it stays.
    held: Mapping[str, float] = field(default_factory=dict)
    #: What was answered of removed jobs, and the executions of these that were asked for by topic.
    barred: Sequence[Barred] = ()
    in_vain: AbstractSet[str] = frozenset()
    #: Removed jobs of which a dump of the database has a payload in the end.
    undying: Sequence[str] = ()
    #: Jobs of others for which an agent was sent the key of its tenant.
    keyed_for_others: Sequence[str] = ()

    @property
    def hostile_jobs(self) -> AbstractSet[str]:
        return {job.id for job in self.jobs if job.tenant == HOSTILE}

    @property
    def ids_of_others(self) -> AbstractSet[str]:
        """The ids of all that honest tenants' logs tell of."""
        own = self.hostile_jobs
        entries = (entry for entry in self.logs if entry.job_id not in own)
        known = {known for e in entries for known in (e.id, e.execution_id, e.event_id) if known}
        return known | {batch.id for batch in self.batched}


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: the number of the invariant (docs/protocol.md#invariants), and what happened."""

    invariant: int
    story: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.story}"
