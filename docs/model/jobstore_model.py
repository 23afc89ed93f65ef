"""What the jobstore decides: the table of states, claims, reports and leases of docs/protocol.md, with each rule."""

from states import (
    ATTEMPT_FAILED,
    AWAITS,
    BEGUN,
    DONE,
    FAILURE,
    GRANTED,
    JUDGED,
    JUDGES,
    LEASED,
    OFFERED,
    QUEUED,
    RESTS,
    RESULT,
    UNKNOWN,
    Execution,
    Report,
    State,
    Work,
)

#: Each is described under its name in docs/protocol.md. Without one of them the model finds a violation.
RULES = (
    "claim-begins",
    "request-assigns",
    "attempt-at-grant",
    "judging-lease",
    "mark-before-publish",
    "offer-again",
    "regrant-to-owner",
    "new-owner-at-start",
    "keep-answers",
    "cancel-before-arrival",
    "repeats-by-the-row",
    "calls-are-not-attempts",
    "no-hand-back-once-begun",
)


class Jobstore:
    """The only writer of state. It follows all rules but one, where that is named."""

    def __init__(self, without: str | None = None) -> None:
        self._rules = frozenset(RULES) - {without}
        self.violations: list[str] = []

    def has(self, rule: str) -> bool:
        """Tell whether a rule is followed."""
        return rule in self._rules

    def moved(self, state: State, number: int, to: str, answer: str = "") -> State | None:
        """The job after an arrow of the table, and the execution DONE where it is answered; None: there is none."""
        sources = {"IN_PROGRESS": {"ASSIGNED", "IN_PROGRESS"}, "FAILED": {"ASSIGNED", "IN_PROGRESS"}}
        if to == "ASSIGNED":
            allowed = {"ASSIGNED", "IN_PROGRESS"} if answer else RESTS
        elif to == "IN_PROGRESS" and not self.has("request-assigns"):
            allowed = {"IN_PROGRESS", *RESTS}
        else:
            allowed = sources.get(to, {"IN_PROGRESS"})
        if state.job not in allowed:
            return None
        moved = state._replace(job=to)
        return moved.row(number, state=DONE, owner=None, judge=None, answer=answer) if answer else moved

    def queued(self, state: State, number: int) -> State:
        """Take an executing lease back; without the rule its attempt is over, whoever gets the next one."""
        attempt = state.executions[number].attempt + (not self.has("attempt-at-grant"))
        return state.row(number, state=QUEUED, owner=None, attempt=attempt)

    def requested(self, state: State, number: int) -> State:
        """Request an execution of a job that rests."""
        requested = state.row(number, state=QUEUED, attempt=0 if self.has("attempt-at-grant") else 1)
        return (self.moved(requested, number, "ASSIGNED") or requested) if self.has("request-assigns") else requested

    def _counts(self, execution: Execution, attempt: int) -> bool:
        """Tell whether an executor's outcome counts: until the next grant, also that of a lapsed lease."""
        if execution.state == LEASED:
            return attempt == execution.attempt
        is_lapsed = execution.state in {QUEUED, OFFERED} and execution.lease > 0
        return self.has("attempt-at-grant") and is_lapsed and attempt == execution.attempt

    def _fence(self, execution: Execution, report: Report) -> None:
        if report.lease != execution.lease:
            self.violations.append(f"I3 a fenced lease changed the state: {report.kind}")

    def _result_recorded(self, state: State, report: Report) -> State | None:
        """The state with a result recorded; None: it does not count."""
        execution = state.executions[report.execution]
        if execution.state in {AWAITS, JUDGED} and execution.result == report.attempt:
            return state
        if not self._counts(execution, report.attempt) or state.job != "IN_PROGRESS":
            if execution.state in {QUEUED, OFFERED} and execution.lease == report.lease:
                self.violations.append("I4 a result is refused and the agent called again, though nobody took over")
            return None
        self._fence(execution, report)
        return state.row(report.execution, state=AWAITS, result=report.attempt, owner=None)

    def decided(self, state: State, report: Report) -> State:
        """Record a report, or refuse it."""
        number, identity = report.execution, (report.execution, report.attempt, report.kind)
        if identity in state.ids:
            return state
        recorded = self._recorded(state, number, report)
        # Without the rule: an id that was seen once is taken for a repeat, also where it was refused.
        ids = state.ids if self.has("repeats-by-the-row") else state.ids | {identity}
        return (state if recorded is None else recorded)._replace(ids=ids)

    def _recorded(self, state: State, number: int, report: Report) -> State | None:
        execution, kind = state.executions[number], report.kind
        if kind == RESULT:
            return self._result_recorded(state, report)
        if kind == BEGUN:
            runs = execution.state == LEASED and report.attempt == execution.attempt
            return self.moved(state, number, "IN_PROGRESS") if runs else None
        if kind in {ATTEMPT_FAILED, FAILURE}:
            if not self._counts(execution, report.attempt) or state.job not in {"ASSIGNED", "IN_PROGRESS"}:
                return None
            self._fence(execution, report)
            return self.queued(state, number) if kind == ATTEMPT_FAILED else self.moved(state, number, "FAILED", kind)
        is_result = execution.state in {AWAITS, JUDGED} and report.attempt == execution.result
        if not is_result or (self.has("judging-lease") and report.lease != execution.judging):
            return None
        if report.lease != execution.judging:
            self.violations.append("I3 a fenced judging lease decided")
        return self.moved(state, number, kind, kind)

    def granted(self, state: State, worker: int, number: int) -> tuple[State, bool]:
        """BeginExecutions, of one record: the state after it, and whether a lease was granted."""
        execution = state.executions[number]
        if execution.state == UNKNOWN:
            is_cancelled = execution.is_cancelled_early
            if state.job not in RESTS or state.live or (is_cancelled and self.has("cancel-before-arrival")):
                keeps = self.has("keep-answers") or is_cancelled
                return (state.row(number, state=DONE, answer="refused") if keeps else state), False
            if is_cancelled:
                self.violations.append("a request was executed although it had been cancelled before")
            state = self.requested(state, number)
            execution = state.executions[number]
        if execution.state == LEASED and execution.owner == worker and self.has("regrant-to-owner"):
            return state.executor(worker, Work(number, execution.attempt, execution.lease, GRANTED)), True
        if execution.state not in {QUEUED, OFFERED}:
            return state, False
        attempt = execution.attempt + self.has("attempt-at-grant")
        granted = state.row(number, state=LEASED, owner=worker, lease=execution.lease + 1, attempt=attempt)
        if self.has("claim-begins"):
            granted = self.moved(granted, number, "IN_PROGRESS") or granted
        if granted.live > 1:
            self.violations.append("I3 two executions are live")
        return granted.executor(worker, Work(number, attempt, execution.lease + 1, GRANTED)), True

    def judging_granted(self, state: State, worker: int, result: Report) -> tuple[State, bool]:
        """BeginJudgings, of one record: the result is recorded in the same transaction."""
        recorded = self._result_recorded(state, result)
        if recorded is None:
            return state, False
        execution = recorded.executions[result.execution]
        if execution.state == JUDGED and not (execution.judge == worker and self.has("regrant-to-owner")):
            return recorded, False
        lease = execution.judging + (execution.state == AWAITS)
        granted = recorded.row(result.execution, state=JUDGED, judging=lease, judge=worker)
        return granted.validator(worker, Work(result.execution, result.attempt, lease, JUDGES)), True
