"""A jobstore in memory: it locks, loads, decides and writes as the engine does, on tables that are dicts."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from contracts.agent_settings import format_settings
from contracts.agents import list_owners
from contracts.criteria import format_references
from contracts.judging.policy import Verdict, split_reference
from contracts.resources import NewAgent, Policy
from jobstore.agents.rules import Agents, AgentsWish, Breaker, Candidate, Circuits, CircuitsWish
from jobstore.engine.parts import Command, Overlay, UnitOfWork, WishList
from jobstore.engine.runner import Rounds
from jobstore.executions.claims import ClaimAnswer, ClaimExecution, ClaimJudging
from jobstore.executions.commands import ExecuteJob, RecordReport, RecordResult
from jobstore.executions.requesting import HISTORY_KINDS, HistoryRow, build_history
from jobstore.executions.rows import Executions, ExecutionsWish, Grant
from jobstore.executions.states import Openings
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import (
    EXECUTOR,
    SIGNOFF,
    WORKER,
    Clock,
    Execution,
    ExecutionTerms,
    IdKey,
    Job,
    LastEntry,
    LogEntry,
    Reusable,
    Spec,
    members,
)
from jobstore.jobs.rows import Jobs, JobsWish, KeysWish, Question, RequestKeys
from jobstore.jobs.transitions import is_verdict
from jobstore.judging.commands import PutVersion
from jobstore.judging.rules import (
    JudgedCount,
    JudgingAnswer,
    Judgings,
    JudgingsWish,
    Kind,
    Named,
    NewEvaluation,
    Policies,
    PoliciesWish,
    Reuse,
    ReuseWish,
    StoredJudging,
    Task,
    Version,
    Versions,
    Wanted,
    read_task,
)
from jobstore.judging.store import list_wanted_by_loaded
from jobstore.keeping.rules import Retentions
from jobstore.limits.rules import Limits, LimitsWish, Queues, QueuesWish, Spending, SpendingWish, Starts
from jobstore.operations.commands import Operations
from jobstore.tasks.rules import TRIES_MAX, NewTask, Tasks, TasksWish
from jobstore.tenants.rules import Tenants, TenantsWish
from servicekit.errors import PermanentError
from signoff.status import Delivery, JudgingState, Outcome, ReportKind
from signoff.types import Agent
from signoff.values import new_execution_id
from support.jobstore.builders import NOW
from support.jobstore.registered import TENANTS
from support.jobstore.steps import new_job, reported, result, verdict

POLICY = Policy(max_submissions=3, max_calls=3, attempt_timeout_s=60.0, delivery=Delivery.AT_LEAST_ONCE)


#: What commands change, by name, and the rows before where these differ.
CHANGES: dict[str, Callable[[UnitOfWork], Any]] = {
    "jobs": lambda uow: uow[Jobs].jobs,
    "specs": lambda uow: uow[Jobs].specs,
    "executions": lambda uow: uow[Executions].executions,
    "final_answers": lambda uow: uow[Executions].final_answers,
    "forgotten": lambda uow: uow[Executions].forgotten,
    "circuits": lambda uow: uow[Circuits].circuits,
    "results": lambda uow: uow[Reuse].new_results,
    "verdicts": lambda uow: uow[Reuse].new_verdicts,
    "begun": lambda uow: uow[Starts].begun,
    "spent": lambda uow: uow[Spending].spent,
    "new_tenants": lambda uow: uow[Tenants].new,
    "agents": lambda uow: uow[Agents].changes,
    "limits": lambda uow: uow[Limits].changes,
    "retentions": lambda uow: uow[Retentions].changes,
    "confirmed_by": lambda uow: uow[Limits].confirmed_by,
    "new_operations": lambda uow: uow[Operations].new,
    "request_keys": lambda uow: uow[RequestKeys].hashes,
    "moves": lambda uow: uow[Operations].moves,
    "removed_operations": lambda uow: uow[Operations].removed,
    "item_answers": lambda uow: uow[Operations].answers,
    "rests_s": lambda uow: uow[Operations].rests_s,
    "new_judgings": lambda uow: uow[Judgings].new,
    "judging_answers": lambda uow: uow[Judgings].answers,
    "cancelled_judgings": lambda uow: uow[Judgings].cancelled,
    "judging_costs": lambda uow: uow[Judgings].costs,
    "new_versions": lambda uow: uow[Policies].new,
    "name_moves": lambda uow: uow[Policies].moves,
    "evaluations": lambda uow: uow[Policies].evaluations,
    "judged": lambda uow: uow[Policies].judged,
    "new_tasks": lambda uow: uow[Tasks].new,
    "refusals": lambda uow: uow[Jobs].refusals,
    "switched_circuits": lambda uow: uow[Circuits].switched,
}


def list_changes(uow: UnitOfWork) -> dict[str, Any]:
    """All that was changed, by the names of CHANGES."""
    found = {name: find(uow) for name, find in CHANGES.items()}
    changes = {name: each.changes if isinstance(each, Overlay) else each for name, each in found.items()}
    return {name: each for name, each in changes.items() if each}


class MemoryJobstore:
    """Tables as dicts, and a clock that a test moves."""

    def __init__(self, **terms: Any) -> None:
        whole = {"policy": POLICY, "lease_s": 10.0, "offer_again_s": 5.0, "ids": IdKey(b"0" * 32), **terms}
        self.terms = ExecutionTerms(**whole)
        self.now = NOW
        self.jobs: dict[str, Job] = {}
        self.specs: dict[str, Spec] = {}
        self.executions: dict[UUID, Execution] = {}
        self.entries: list[LogEntry] = []
        self.request_keys: dict[UUID, bytes] = {}
        self.tenants = {name: name for name in TENANTS}
        self.agents: dict[str, Agent] = {}
        self.circuits: dict[str, Breaker] = {}
        self.reusable: dict[bytes, Reusable] = {}
        self.versions: dict[Named, dict[int, str]] = {}
        self.names: dict[Named, Versions] = {}
        self.limit_names: set[str] = set()
        self.has_rates = False
        self.daily_limits: set[str] = set()
        self.left_of_day: dict[str, int] = {}
        self.policies_of: dict[str, list[str]] = {}
        self.queue_room: dict[str, int] = {}
        self.openings = Openings()
        self.offered = 0
        self.judged: list[JudgedCount] = []
        self.evaluations: dict[tuple[str, int], NewEvaluation] = {}
        self.judgings: dict[UUID, StoredJudging] = {}
        self.answers: dict[UUID, JudgingAnswer] = {}
        self.judging_costs: dict[UUID, tuple[int, int]] = {}
        self.judging_room = 10
        self.judging_groups: set[UUID] = set()
        self.judged_max_chars: int | None = None
        self.tasks: dict[UUID, NewTask] = {}
        self.tries_under_way = 0
        self.full: str | None = None
        self.uow = UnitOfWork(self.terms)
        self.register("writer")

    def register(self, agent_id: str, *capabilities: str, **fields: Any) -> str:
        new = NewAgent(name=agent_id, url="http://127.0.0.1:1/", capabilities=list(capabilities), **fields)
        times = {"created_at": self.now, "updated_at": self.now}
        self.agents[agent_id] = Agent(id=agent_id, **new.model_dump(exclude={"id"}), **times)
        return agent_id

    def carry_out(self, *commands: Command[Any]) -> list[Any]:
        """Carry out a batch, and return the results; a PermanentError of one that failed."""
        uow = self.lock(*commands)
        rounds = Rounds(lambda: [command.reads(uow) for command in commands])
        for asked in rounds:
            self._load(uow, asked)
        self._load_last(uow, rounds.asked)
        results = [_decide(command, uow) for command in commands]
        self._write(uow)
        return results

    def run(self, command: Command[Any]) -> Any:
        """Carry out one command, and return its result or raise its error."""
        (done,) = self.carry_out(command)
        if isinstance(done, PermanentError):
            raise done
        return done

    def lock(self, *commands: Command[Any]) -> UnitOfWork:
        asked = WishList([command.locks() for command in commands])
        wish, of_jobs = asked[ExecutionsWish], asked[JobsWish]
        ids = {*wish.locked, *(self.terms.ids.derive_next(each) for each in wish.followed)}
        job_ids = {*of_jobs.locked, *(self.executions[each].job_id for each in ids & self.executions.keys())}
        clock = Clock(self.now, self.terms.lease_s, self.terms.offer_again_s)
        uow = UnitOfWork(self.terms, clock, full=self.full)
        jobs, executions, limits = uow[Jobs], uow[Executions], uow[Limits]
        jobs.jobs.stored.update((each, self.jobs[each]) for each in job_ids & self.jobs.keys())
        known = jobs.jobs.stored.keys()
        jobs.specs.stored.update((each, self.specs[each]) for each in of_jobs.specs & known)
        jobs.questions = {each: self._question_of(each) for each in of_jobs.questions & known}
        jobs.tasks = {each: self._task_of(each) for each in of_jobs.tasks & known}
        ids |= {job.execution_id for job in jobs.jobs.values() if job.live and job.execution_id}
        executions.executions.stored.update((each, self.executions[each]) for each in ids & self.executions.keys())
        executions.grants = {each: self._grant_of(each) for each in wish.grants & self.executions.keys()}
        executions.judged_max_chars = self.judged_max_chars if wish.grants else None
        executions.offered = self.offered
        if wish.offers:
            executions.openings = replace(self.openings, held_back=self.limit_names)
        limits.is_held = bool(asked[LimitsWish].lock)
        limits.names, limits.has_rates = frozenset(self.limit_names), self.has_rates
        limits.has_queue_caps, limits.daily = bool(self.queue_room), frozenset(self.daily_limits)
        limits.judge_policies = self.policies_of
        uow[Circuits].are_stored = bool(self.circuits)
        locked = asked[AgentsWish].locked & self.agents.keys()
        uow[Agents].agents.stored.update((each, self.agents[each]) for each in locked)
        if KeysWish in asked:
            uow[RequestKeys].hashes.stored.update(self.request_keys)
        return uow

    def _question_of(self, job_id: str) -> Question:
        spec = self.specs[job_id]
        return Question(spec.acceptance_criteria, spec.tenant, format_references(spec.references))

    def _task_of(self, job_id: str) -> Task:
        spec = self.specs[job_id]
        return Task(spec.title, spec.description, spec.payload)

    def _grant_of(self, execution_id: UUID) -> Grant:
        agent = self.agents.get(self.executions[execution_id].agent_id or "", self.agents["writer"])
        settings = format_settings(agent.settings) if agent.settings else ""
        called = agent.protocol, agent.url, agent.headers
        return Grant("{}", *called, settings=settings, signing=agent.signing, agent_tenant=agent.tenant)

    def _last_of(self, job_id: str) -> LastEntry:
        report = self.log(job_id)[-1].report
        return LastEntry(report.kind, report.message, report.actor)

    def _load(self, uow: UnitOfWork, asked: WishList) -> None:
        self._load_jobs(uow[Jobs], asked[JobsWish])
        self._load_tenants(uow[Tenants], asked[TenantsWish])
        self._load_agents(uow[Agents], asked[AgentsWish])
        self._load_judging(uow, asked)
        if tries := asked[TasksWish].tries:
            uow[Tasks].known = tries & self.tasks.keys()
            uow[Tasks].room = TRIES_MAX - self.tries_under_way
        tenants = asked[SpendingWish].tenants & self.left_of_day.keys()
        uow[Spending].left |= {tenant: self.left_of_day[tenant] for tenant in tenants}
        wish, executions = asked[ExecutionsWish], uow[Executions]
        if wish.early_cancels:
            cancels = sum(e.is_early_cancel for e in self.executions.values())
            executions.cancel_room = self.terms.remembered_max - cancels
        if wish.wrong_records:
            wrong = sum(e.is_remembered and not e.is_early_cancel for e in self.executions.values())
            executions.wrong_room = self.terms.remembered_max - wrong

    def _load_jobs(self, jobs: Jobs, wish: JobsWish) -> None:
        jobs.specs.stored.update((each, self.specs[each]) for each in wish.specs & self.specs.keys())
        jobs.last_entries |= {each: self._last_of(each) for each in wish.last_entries}
        for execution_id in wish.feedback:
            execution = self.executions[execution_id]
            log = reversed(self.log(execution.job_id))
            body = next(e.report.request for e in log if e.report.kind == "requested")
            task = jobs.tasks[execution.job_id]
            jobs.tasks[execution.job_id] = task._replace(feedback=read_task(members(body or "{}")).feedback)

    def _load_tenants(self, tenants: Tenants, wish: TenantsWish) -> None:
        asked = wish.names | wish.prefixes | wish.made
        tenants.names |= {name: self.tenants[name] for name in asked & self.tenants.keys()}
        tenants.titles |= dict.fromkeys(tenants.names.values())
        tenants.unknown |= asked - tenants.names.keys()
        of_default = [agent for agent in self.agents.values() if agent.tenant == "default"]
        references = {each for agent in of_default for each in (*agent.headers.values(), agent.signing or "")}
        tenants.named_owners |= wish.made & frozenset().union(*map(list_owners, references))
        ids = (*self.jobs, *self.agents)
        tenants.used_prefixes |= {name for name in wish.made if any(each.startswith(f"{name}:") for each in ids)}

    def _load_agents(self, agents: Agents, wish: AgentsWish) -> None:
        stored = agents.agents.stored
        stored.update((each, self.agents[each]) for each in wish.read & self.agents.keys())
        agents.unknown |= wish.read - stored.keys()
        agents.histories |= {each: build_history(self._history_of(each)) for each in wish.histories}
        wanted = wish.capabilities.union(*(self.specs[each].capabilities for each in wish.match_jobs))
        for agent in self.agents.values():
            if wanted.intersection(agent.capabilities) and agent.enabled:
                stored[agent.id] = agent
                capabilities = frozenset(agent.capabilities)
                owner = None if agent.shared else agent.tenant
                agents.candidates[agent.id] = Candidate(agent.id, capabilities, True, 0, owner)

    def _load_judging(self, uow: UnitOfWork, asked: WishList) -> None:
        policies, reuse, judgings = uow[Policies], uow[Reuse], uow[Judgings]
        wanted = (asked[PoliciesWish].references | list_wanted_by_loaded(uow)) - policies.versions.keys()
        policies.versions |= {each: self.find_version(each) for each in wanted}
        of_kind = Counter(named.kind for named in self.names)
        known = {each: self.names.get(each, Versions()) for each in asked[PoliciesWish].names}
        policies.names.stored.update((each, replace(found, names=of_kind[each.kind])) for each, found in known.items())
        reuse.verdicts |= {key: self.reusable[key] for key in asked[ReuseWish].verdicts & self.reusable.keys()}
        keys = {each: self.executions[each].reuse_key or b"" for each in asked[ReuseWish].results}
        reuse.results |= {each: self.reusable[key] for each, key in keys.items() if key in self.reusable}
        if groups := asked[JudgingsWish].groups:
            judgings.groups, judgings.room = self.judging_groups & groups, self.judging_room
        locked = asked[JudgingsWish].locked & self.judgings.keys()
        judgings.judgings |= {each: self._locked(each) for each in locked}

    def _load_last(self, uow: UnitOfWork, asked: WishList) -> None:
        tenants, agents = asked[QueuesWish].tenants, asked[CircuitsWish].agents
        uow[Queues].room = {each: self.queue_room[each] for each in tenants & self.queue_room.keys()}
        uow[Circuits].circuits.stored.update((each, self.circuits[each]) for each in agents & self.circuits.keys())

    def find_version(self, wanted: Wanted) -> Version | None:
        name, version = split_reference(wanted.reference)
        named = Named(wanted.kind, name)
        known = self.names.get(named, Versions())
        number = version or known.current
        body = self.versions.get(named, {}).get(number or 0)
        return None if body is None or number is None else _version(name, number, body, known)

    def put(self, kind: Kind, name: str, body: str, **fields: Any) -> int:
        """Put a version of a judge policy or a criteria set."""
        number: int = self.run(PutVersion(Named(kind, name), body, **fields, actor=SIGNOFF))
        return number

    def _locked(self, judging_id: UUID) -> StoredJudging:
        """A judging with the verdict before of its job, as the entry has it."""
        judging = self.judgings[judging_id]
        verdicts = [e for e in self.log(judging.job_id or "") if is_verdict(e.report.kind, e.report.code)]
        before = f'{{"result":0,"verdict":{verdicts[-1].report.response}}}' if verdicts else None
        return judging._replace(before=before)

    def _history_of(self, job_id: str) -> list[HistoryRow]:
        return [
            HistoryRow(e.report.kind, e.job.agent_id, e.execution.result_hash if e.execution else None)
            for e in self.log(job_id)
            if e.report.kind in HISTORY_KINDS
        ]

    def _write(self, uow: UnitOfWork) -> None:
        self.uow = uow
        jobs, executions, judgings = uow[Jobs], uow[Executions], uow[Judgings]
        self.jobs |= jobs.jobs.changes
        self.specs |= jobs.specs.changes
        self.executions |= executions.executions.changes
        self.request_keys |= uow[RequestKeys].hashes.changes
        self.tenants |= {tenant.name: tenant.name for tenant in uow[Tenants].new}
        self.agents |= {change.agent.id: change.agent for change in uow[Agents].changes}
        for execution_id in executions.forgotten:
            del self.executions[execution_id]
        self.circuits |= uow[Circuits].circuits.changes
        self.entries += jobs.entries
        for new in judgings.new:
            self.judging_groups.add(new.group_id)
            about = (new.execution_id, new.job_id, None, new.actor, new.tenant, new.judge_policy)
            self.judgings[new.id] = StoredJudging(new.id, new.kind, JudgingState.LEASED, 1, *about)
        self.judging_costs |= judgings.costs
        for answer in judgings.answers:
            self.judgings[answer.id] = self.judgings[answer.id]._replace(state=JudgingState.DONE)
            self.answers[answer.id] = answer
        for key, entry in uow[Reuse].new_results.items():
            self.reusable[key] = replace(entry, result_hash=self.hash_at(entry))
        for key, entry in uow[Reuse].new_verdicts.items():
            self.reusable[key] = replace(entry, verdict=self.verdict_at(entry), kept_at=self.now)
        self.tasks |= {task.id: task for task in uow[Tasks].new}
        policies = uow[Policies]
        for version in policies.new:
            self.versions.setdefault(version.named, {})[version.version] = version.body
        self.names |= {each: known for each, known in policies.names.items() if known.hashes}
        self.judged += policies.judged
        self.evaluations |= {(one.name, one.version): one for one in policies.evaluations}

    def hash_at(self, entry: Reusable) -> bytes | None:
        return self._at(entry).report.result_hash

    def verdict_at(self, entry: Reusable) -> Verdict:
        return Verdict.model_validate_json(self._at(entry).report.response or "")

    def _at(self, entry: Reusable) -> LogEntry:
        return next(each for each in self.log(entry.job_id) if each.job.version == entry.version)

    def log(self, job_id: str) -> list[LogEntry]:
        return [entry for entry in self.entries if entry.job.id == job_id]

    def told(self, job_id: str) -> list[str]:
        """What the log says, by the kinds of its entries."""
        return [entry.report.kind.value for entry in self.log(job_id)]

    def refused(self) -> list[str]:
        """The codes of what the last batch refused."""
        return [refusal.code for *_, refusal in self.uow[Jobs].refusals]


def _version(name: str, number: int, body: str, known: Versions) -> Version:
    owner = None if known.shared else known.tenant
    return Version(name, number, body, known.current is None, owner, known.tenant)


def _decide(command: Command[Any], uow: UnitOfWork) -> Any:
    try:
        return command.decide(uow.show_to(command))
    except PermanentError as error:
        return error


class Life:
    """One job's way in memory, step by step."""

    def __init__(self, jobstore: MemoryJobstore, job_id: str | None = None) -> None:
        self.jobstore = jobstore
        self.job_id = job_id or str(uuid4())
        self.execution_id = new_execution_id()
        self.executor, self.validator = uuid4(), uuid4()

    @property
    def job(self) -> Job:
        return self.jobstore.jobs[self.job_id]

    @property
    def execution(self) -> Execution:
        return self.jobstore.executions[self.execution_id]

    @property
    def told(self) -> list[str]:
        return self.jobstore.told(self.job_id)

    def created(self, **fields: Any) -> "Life":
        new = new_job(**fields)
        self.jobstore.tenants.setdefault(new.tenant, new.tenant)
        self.jobstore.run(CreateJob(new, self.job_id, actor=SIGNOFF))
        return self

    def execute(self, **fields: Any) -> Any:
        return self.jobstore.run(ExecuteJob(self.job_id, self.execution_id, chosen=True, **fields, actor=SIGNOFF))

    def requested(self, **fields: Any) -> "Life":
        self.created(**fields).execute()
        return self

    def claim(self, owner: UUID | None = None, room: int = 10, **fields: Any) -> ClaimAnswer:
        command = ClaimExecution(self.execution_id, self.job_id, owner or self.executor, room, **fields, actor=SIGNOFF)
        answer: ClaimAnswer = self.jobstore.run(command)
        return answer

    def running(self, **fields: Any) -> "Life":
        assert self.requested(**fields).claim().execution is not None
        return self

    def claim_judging(self, owner: UUID | None = None, room: int = 10, judge: str = "", **fields: Any) -> ClaimAnswer:
        lease = self.execution.result_lease or self.execution.lease
        event = result(self.execution_id, self.job_id, lease, **fields)
        answer: ClaimAnswer = self.jobstore.run(
            ClaimJudging(event, owner or self.validator, room, judge=judge, actor=SIGNOFF)
        )
        return answer

    def judging(self, **fields: Any) -> "Life":
        assert self.running(**fields).claim_judging().execution is not None
        return self

    def report(self, kind: ReportKind, lease: int | None = None, **fields: Any) -> Any:
        event = reported(self.execution_id, self.job_id, lease or self.execution.lease, kind, **fields)
        return self.jobstore.run(RecordReport(event, actor=WORKER))

    def result(self, lease: int | None = None, value: Any = "blue") -> Any:
        event = result(self.execution_id, self.job_id, lease or self.execution.lease, value)
        return self.jobstore.run(RecordResult(event, actor=EXECUTOR))

    def judged(self, *outcomes: Outcome, **fields: Any) -> Any:
        return self.report(ReportKind.VERDICT, verdict=verdict(*outcomes), **fields)
