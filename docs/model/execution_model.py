"""The execution protocol of docs/protocol.md: every step that services, topics and faults can take with one job."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jobstore_model import Jobstore
from search import Step
from states import (
    ASKS_AGAIN,
    ATTEMPT_FAILED,
    AWAITS,
    BEGUN,
    CALLS,
    DONE,
    FAILURE,
    FAULTS,
    GRANTED,
    JUDGED,
    JUDGES,
    LEASED,
    LIVE,
    OFFERED,
    QUEUED,
    RESTS,
    RESULT,
    UNKNOWN,
    UNPROVEN,
    VERDICTS,
    Execution,
    Log,
    Report,
    State,
    Work,
)

#: The owner of a lease whose process is gone: nobody claims or renews in its name any more.
GONE = -1


@dataclass(frozen=True)
class Scenario:
    """How each execution is requested (`rpc`, `event`, or `none`), and how often each fault may happen.

    `automatic`: a verdict that is not met requests the second; then one may be unproven, and the first be judged again.
    `finds`: the agent shows work that it was given, so that it is looked for before it is sent.
    """

    requests: tuple[str, str] = ("rpc", "none")
    faults: Mapping[str, int] = field(default_factory=dict)
    workers: int = 2
    at_most_once: bool = False
    finds: bool = False
    retries_in_worker: bool = False
    replays: bool = False
    purges: bool = False
    automatic: bool = False


class ExecutionModel(Jobstore):
    """See search.Model."""

    def __init__(self, scenario: Scenario, without: str | None = None) -> None:
        super().__init__(without, is_automatic=scenario.automatic)
        self._scenario = scenario

    def initial(self) -> State:
        """Return the state to begin with."""
        return State(faults=tuple(self._scenario.faults.get(fault, 0) for fault in FAULTS))

    def steps(self, state: State) -> Iterator[Step[State]]:
        """Yield every step that is possible in a state."""
        parts = (self._ask, self._offer, self._sweep, self._claim, self._execute, self._hear_late, self._claim_results)
        for part in (*parts, self._judge, self._judge_again, self._consume, self._lose_topics, self._replay):
            for label, is_system, following in part(state):
                yield label, is_system, following if self._scenario.replays else _drop_read(following)

    def check(self, state: State) -> None:
        """Append what a replay has changed: nothing may be."""
        if state.before_replay is None:
            return
        job, recorded, calls = state.before_replay
        if calls != tuple(execution.calls for execution in state.executions):
            self.violations.append("I5 a replay called the agent")
        if job != state.job or state.live or recorded != tuple(e.recorded for e in state.executions):
            self.violations.append("I5 a replay changed the state")

    def is_at_rest(self, state: State) -> bool:
        """Return whether no execution is live."""
        return not state.live

    def describe_stuck(self, state: State) -> str:
        """Name the violation of a state in which something stays live for ever."""
        executions = ", ".join(execution.state for execution in state.executions)
        return f"I1 never ends: the job is {state.job}, its executions are {executions}"

    # What people ask for, and what the jobstore does by itself.

    def _ask(self, state: State) -> Iterator[Step[State]]:
        if state.before_replay is not None:
            return
        for number, (how, execution) in enumerate(zip(self._scenario.requests, state.executions, strict=True)):
            is_new = execution.state == UNKNOWN and not execution.is_published
            may_run = state.job in RESTS and not state.live and (number == 0 or state.executions[0].state == DONE)
            if is_new and how == "rpc" and may_run:
                yield f"ExecuteJob {number}", False, self.request(state, number)
            if is_new and how == "event":
                published = state.with_row(number, is_published=True)
                requests = state.requests.with_record(number)
                yield f"publish request {number}", False, published._replace(requests=requests)
            yield from self._cancel(state, number, execution)

    def _cancel(self, state: State, number: int, execution: Execution) -> Iterator[Step[State]]:
        on_its_way = execution.state == UNKNOWN and number in state.requests.unread()
        if state.has("cancel") and on_its_way and not execution.is_cancelled_early:
            cancelled = state.use_fault("cancel").with_row(number, is_cancelled_early=True)
            kept = self.has("cancel-before-arrival")
            cancelled = cancelled.with_row(number, state=DONE, answer="cancelled") if kept else cancelled
            yield f"cancel {number} before it arrives", False, cancelled
        for fault, to in (("cancel", "ASSIGNED"), ("deadline", "FAILED")):
            if state.has(fault) and execution.state in LIVE:
                ended = self.move(state.use_fault(fault), number, to, fault)
                if ended is None:
                    self.violations.append(f"I1 a live execution has no arrow for its {fault}")
                yield f"{fault} {number}", False, ended or state

    def _offer(self, state: State) -> Iterator[Step[State]]:
        """Offer what is queued, and publish again what is offered but in no topic any more: the dispatcher's steps."""
        for number, execution in enumerate(state.executions):
            published = state._replace(requests=state.requests.with_record(number))
            if execution.state == QUEUED and state.marking is None:
                # With the rule, publishing is a step of its own, which may never come, and then comes again.
                marked = state.with_row(number, state=OFFERED)
                following = marked if self.has("mark-before-publish") else published._replace(marking=number)
                yield f"offer {number}", True, following
            if state.marking == number:
                marked = state._replace(marking=None)
                marked = marked if execution.state == DONE else marked.with_row(number, state=OFFERED)
                yield f"mark {number}", True, marked
            if execution.state == OFFERED and number not in state.requests.unread():
                yield f"publish {number}", True, published
            result = Report(number, execution.result, execution.lease, RESULT)
            is_there = any(r[:2] == result[:2] for r in state.results.unread())
            if execution.state == AWAITS and not is_there and self.has("offer-again"):
                again = state._replace(results=state.results.with_record(result))
                yield f"publish result {number} again", True, again

    def _sweep(self, state: State) -> Iterator[Step[State]]:
        """Lapse leases that no worker holds, or whose worker is frozen: the sweeper's steps."""
        for number, execution in enumerate(state.executions):
            if execution.state == LEASED:
                held = any(w and (w.execution, w.lease) == (number, execution.lease) for w in state.executors)
                if held and state.has("freeze"):
                    excused = state.use_fault("freeze").with_row(number, excuses=execution.excuses + 1)
                    yield f"the lease of {number} lapses, its worker is frozen", False, self._lapse(excused, number)
                elif not held:
                    yield f"the lease of {number} lapses", True, self._lapse(state, number)
            if execution.state == JUDGED:
                held = any(w and (w.execution, w.lease) == (number, execution.judging) for w in state.validators)
                if not held or state.has("freeze"):
                    lapsed = (state.use_fault("freeze") if held else state).with_row(number, state=AWAITS, judge=None)
                    yield f"the judging lease of {number} lapses", not held, lapsed

    def _lapse(self, state: State, number: int) -> State:
        if not self._scenario.at_most_once:
            return self.requeue(state, number)
        if self._scenario.finds:
            return self.requeue_to_follow(state, number)
        if not state.executions[number].excuses:
            self.violations.append("I1 FAILED, although nobody called the agent and nothing crashed")
        return self.move(state, number, "FAILED", "lapsed") or state

    # What workers do.

    def _list_claimers(self, workers: tuple[Work | None, ...], owner: int | None) -> list[int]:
        """List the workers that may claim: one idle worker stands for all, unless one of them owns the row."""
        idle = [w for w in range(self._scenario.workers) if workers[w] is None]
        return idle if owner in idle else idle[:1]

    def _claim(self, state: State) -> Iterator[Step[State]]:
        """Read and claim a request, then commit its offset: an executor's steps. Either may fail."""
        if not (unread := state.requests.unread()):
            return
        number = unread[0]
        for worker in self._list_claimers(state.executors, state.executions[number].owner):
            claimed, is_granted = self.grant(state, worker, number)
            committed = claimed._replace(requests=claimed.requests.with_next_read())
            yield f"executor {worker} claims {number}: {'granted' if is_granted else 'no'}", True, committed
            if state.has("rebalance"):
                yield f"executor {worker} claims {number}, no commit", False, claimed.use_fault("rebalance")
            if state.has("lost_answer") and is_granted:
                lost = claimed.use_fault("lost_answer").with_executor(worker, None)
                if self.has("regrant-to-owner"):
                    work = claimed.executors[worker]
                    asking = work and work._replace(phase=ASKS_AGAIN)
                    lost = committed.use_fault("lost_answer").with_executor(worker, asking)
                yield f"executor {worker} claims {number}, the answer is lost", False, lost

    def _execute(self, state: State) -> Iterator[Step[State]]:
        for worker, work in enumerate(state.executors):
            if work is None:
                continue
            execution = state.executions[work.execution]
            runs = execution.state == LEASED and execution.lease == work.lease
            if work.phase == ASKS_AGAIN:
                again = state.with_executor(worker, work._replace(phase=GRANTED) if runs else None)
                yield f"executor {worker} asks again", True, again
            elif work.phase == GRANTED:
                yield f"executor {worker} calls", True, self._call(state, worker, work)
            elif work.phase == CALLS:
                yield from self._answer(state, worker, work)
            else:
                yield from self._publish_outcome(state, worker, work)
            if state.has("late_answer") and runs and work.phase != ASKS_AGAIN:
                late = state.use_fault("late_answer")._replace(late=(worker, work._replace(phase=GRANTED)))
                yield f"executor {worker} claims {work.execution} again", False, late
            if not runs and not self._waits_to_be_recorded(state, work):
                yield f"executor {worker} is told: recorded, or lost", True, state.with_executor(worker, None)
            yield from self._end_executor(state, worker, work, runs=runs)

    def _hear_late(self, state: State) -> Iterator[Step[State]]:
        """Hear that a lease is granted that was begun before; it may have ended meanwhile."""
        if state.late is None:
            return
        (worker, work), heard = state.late, state._replace(late=None)
        if state.executors[worker] is None and not self.has("begin-a-lease-once"):
            heard = heard.with_executor(worker, work)
        yield f"executor {worker} hears so late that it was granted {work.execution}", True, heard

    def _call(self, state: State, worker: int, work: Work) -> State:
        number, excuses = work.execution, state.executions[work.execution].excuses
        if work.follows_only:  # it looks: what was sent is followed, and what was not is not sent
            is_there = state.executions[number].calls > 0
            return state.with_executor(worker, work._replace(phase=CALLS if is_there else FAILURE))
        calls = state.executions[number].calls + 1
        if calls > 1 + excuses:
            self.violations.append("I4 the agent was called again without a crash, a timeout or a retryable error")
        if calls > 1 and self._scenario.at_most_once:
            self.violations.append("I4 an agent that may be called once was called twice")
        if state.executions[number].answer == "refused":
            self.violations.append("an execution that was refused called the agent")
        is_by_policy = state.executions[number].is_by_policy and state.rejudging != "recorded"
        if is_by_policy and state.executions[number - 1].answer == UNPROVEN:
            self.violations.append("an agent was called since its judge had proven nothing")
        called = state.with_row(number, calls=calls).with_executor(worker, work._replace(phase=CALLS))
        begun = Report(number, work.attempt, work.lease, BEGUN)
        if self.has("claim-begins") or begun in state.reports.unread():
            return called
        return called._replace(reports=called.reports.with_record(begun))

    def _answer(self, state: State, worker: int, work: Work) -> Iterator[Step[State]]:
        for outcome in (RESULT, FAILURE):
            yield f"executor {worker}: {outcome}", True, state.with_executor(worker, work._replace(phase=outcome))
        if not state.has("retry") or self._scenario.at_most_once:
            return
        excuses = state.executions[work.execution].excuses + 1
        failed = state.use_fault("retry").with_row(work.execution, excuses=excuses)
        if self._scenario.retries_in_worker:
            # Without the rule the worker counts its calls as attempts, and reports under a number of its own.
            attempt = work.attempt + (not self.has("calls-are-not-attempts"))
            yield f"executor {worker} calls again", True, self._call(failed, worker, work._replace(attempt=attempt))
        else:
            following = failed.with_executor(worker, work._replace(phase=ATTEMPT_FAILED))
            yield f"executor {worker}: {ATTEMPT_FAILED}", True, following

    def _publish_outcome(self, state: State, worker: int, work: Work) -> Iterator[Step[State]]:
        report = Report(*work[:4])
        label = f"executor {worker} publishes {work.phase} of {work.execution}"
        if work.phase == RESULT and not self._is_published(state.results, report):
            yield label, True, state._replace(results=state.results.with_record(report))
        if work.phase != RESULT and not self._is_published(state.reports, report):
            yield label, True, state._replace(reports=state.reports.with_record(report))

    def _is_published(self, log: Log, report: Report) -> bool:
        return report in log.records if self._scenario.replays else log.has_unread(report)

    def _waits_to_be_recorded(self, state: State, work: Work) -> bool:
        """Return whether an outcome still counts although its lease lapsed, and is not known to be recorded."""
        execution = state.executions[work.execution]
        is_lapsed = execution.state in {QUEUED, OFFERED} and execution.lease == work.lease
        waits = work.phase in {RESULT, FAILURE} and (work.execution, work.attempt, work.phase) not in state.ids
        return waits and is_lapsed and self.has("attempt-at-grant")

    def _end_executor(self, state: State, worker: int, work: Work, *, runs: bool) -> Iterator[Step[State]]:
        number, execution = work.execution, state.executions[work.execution]
        gone = state.with_executor(worker, None)._replace(late=None)  # what is on its way was for another process
        excused = gone.with_row(number, excuses=execution.excuses + 1)
        if state.has("crash"):
            crashed = (excused if execution.lease == work.lease else gone).use_fault("crash")
            if execution.owner == worker and self.has("new-owner-at-start"):
                crashed = crashed.with_row(number, owner=GONE)
            yield f"executor {worker} dies", False, crashed
        if state.has("stop") and runs and work.phase in {GRANTED, CALLS}:
            label, begun = f"executor {worker} is told to stop", work.phase == CALLS
            if begun and self._scenario.finds:
                yield label, False, self.requeue_to_follow(excused.use_fault("stop"), number)
            elif begun and self._scenario.at_most_once and self.has("no-hand-back-once-begun"):
                failed = self.move(excused.use_fault("stop"), number, "FAILED", "worker_stopped")
                yield label, False, failed or state
            elif begun:
                yield label, False, self.requeue(excused.use_fault("stop"), number)
            else:
                yield label, False, gone.use_fault("stop").with_row(number, state=QUEUED, owner=None)

    def _claim_results(self, state: State) -> Iterator[Step[State]]:
        if not (unread := state.results.unread()):
            return
        result = unread[0]
        for worker in self._list_claimers(state.validators, state.executions[result.execution].judge):
            claimed, is_granted = self.grant_judging(state, worker, result)
            committed = claimed._replace(results=claimed.results.with_next_read())
            label = f"validator {worker} claims the result of {result.execution}"
            yield f"{label}: {'granted' if is_granted else 'no'}", True, committed
            if state.has("lost_answer") and is_granted:
                unheard = claimed.use_fault("lost_answer").with_validator(worker, None)
                yield f"{label}, the answer is lost", False, unheard

    def _judge(self, state: State) -> Iterator[Step[State]]:
        for worker, work in enumerate(state.validators):
            if work is None:
                continue
            execution, idle = state.executions[work.execution], state.with_validator(worker, None)
            if work.phase == JUDGES:
                for verdict in (*VERDICTS, UNPROVEN) if self._scenario.automatic else VERDICTS:
                    judged = state.with_validator(worker, work._replace(phase=verdict))
                    yield f"validator {worker}: {verdict}", True, judged
            elif not self._is_published(state.reports, Report(*work[:4])):
                published = state._replace(reports=state.reports.with_record(Report(*work[:4])))
                yield f"validator {worker} publishes {work.phase} of {work.execution}", True, published
            if execution.state == DONE or execution.judging != work.lease:
                yield f"validator {worker} is told: recorded, or lost", True, idle
            if state.has("crash"):
                crashed = idle.use_fault("crash")
                if execution.judge == worker and self.has("new-owner-at-start"):
                    crashed = crashed.with_row(work.execution, judge=GONE)
                yield f"validator {worker} dies", False, crashed

    def _judge_again(self, state: State) -> Iterator[Step[State]]:
        """Judge the first result again, which is unproven, beside whatever else is done to the job."""
        if state.executions[0].answer == UNPROVEN and not state.rejudging and not state.live:
            yield "somebody has 0 judged again", False, state._replace(rejudging="judged")
        if state.rejudging == "judged":
            for verdict in ("COMPLETED", "RESUBMISSION_REQUIRED", UNPROVEN):
                yield f"0 is judged again: {verdict}", True, self.rejudge(state, verdict)

    # What the topics do.

    def _consume(self, state: State) -> Iterator[Step[State]]:
        if unread := state.reports.unread():
            decided = self.decide(state, unread[0])
            label = f"the jobstore reads {unread[0].kind} of {unread[0].execution}"
            yield label, True, decided._replace(reports=decided.reports.with_next_read())
        if unread := state.results.unread(1):
            decided = self.decide(state, unread[0])
            label = f"the jobstore reads the result of {unread[0].execution}"
            yield label, True, decided._replace(results=decided.results.with_next_read(1))

    def _lose_topics(self, state: State) -> Iterator[Step[State]]:
        if state.has("empty"):
            emptied = {name: getattr(state, name).empty() for name in _TOPICS}
            yield "the broker comes back empty", False, state.use_fault("empty")._replace(**emptied)

    def _replay(self, state: State) -> Iterator[Step[State]]:
        if not self._scenario.replays or state.before_replay is not None or not state.is_quiet:
            return
        if self._scenario.purges and not self.has("keep-answers"):
            for number, execution in enumerate(state.executions):
                if execution.state == DONE and execution.answer != "refused":
                    state = state.with_row(number, **Execution()._asdict() | _model_fields(execution))
        recorded, calls = zip(*((e.recorded, e.calls) for e in state.executions), strict=True)
        for name in _TOPICS:
            replayed = state._replace(**{name: getattr(state, name).rewind()})
            yield f"replay of {name}", False, replayed._replace(before_replay=(state.job, recorded, calls))


_TOPICS = ("requests", "results", "reports")


def _model_fields(execution: Execution) -> dict[str, object]:
    return dict(zip(Execution._fields[9:], execution[9:], strict=True))


def _drop_read(state: State) -> State:
    return state._replace(**{name: getattr(state, name).drop_read() for name in _TOPICS})
