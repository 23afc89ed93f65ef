"""The jobstore's decisions: the table of states, claims, reports and leases of docs/protocol.md, with each rule."""

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
    UNPROVEN,
    Execution,
    Report,
    State,
    Work,
)

#: Each is described under its name in docs/protocol.md. Without any of them the model finds a violation.
RULES = (
    "claim-begins",
    "request-assigns",
    "attempt-at-grant",
    "judging-lease",
    "mark-before-publish",
    "offer-again",
    "regrant-to-owner",
    "begin-a-lease-once",
    "new-owner-at-start",
    "keep-answers",
    "cancel-before-arrival",
    "repeats-by-the-row",
    "calls-are-not-attempts",
    "no-hand-back-once-begun",
    "follow-never-send",
    "unproven-fails",
    "rejudge-the-last",
)


class Jobstore:
    """The only writer of state. It follows all rules, or all but one."""

    def __init__(self, without: str | None = None, *, is_automatic: bool = False) -> None:
        """`is_automatic`: a verdict that is not met requests the next execution."""
        self._rules = frozenset(RULES) - {without}
        self._is_automatic = is_automatic
        self.violations: list[str] = []

    def has(self, rule: str) -> bool:
        """Return whether a rule is followed."""
        return rule in self._rules

    def move(self, state: State, number: int, to: str, answer: str = "") -> State | None:
        """Move the job by an arrow of the table, and end the execution if it is answered; None if there is no arrow."""
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
        return moved.with_row(number, state=DONE, owner=None, judge=None, answer=answer) if answer else moved

    def requeue(self, state: State, number: int) -> State:
        """Take an executing lease back; without the rule its attempt is over, whichever worker is next."""
        attempt = state.executions[number].attempt + (not self.has("attempt-at-grant"))
        return state.with_row(number, state=QUEUED, owner=None, attempt=attempt)

    def requeue_to_follow(self, state: State, number: int) -> State:
        """Take an executing lease back whose work may have been sent: with the rule it is never sent again."""
        follows_only = self.has("follow-never-send") or state.executions[number].follows_only
        return self.requeue(state, number).with_row(number, follows_only=follows_only)

    def request(self, state: State, number: int) -> State:
        """Request an execution of a job that rests."""
        requested = state.with_row(number, state=QUEUED, attempt=0 if self.has("attempt-at-grant") else 1)
        return (self.move(requested, number, "ASSIGNED") or requested) if self.has("request-assigns") else requested

    def _counts(self, execution: Execution, attempt: int) -> bool:
        """Return whether an executor's outcome counts: until the next grant, also that of a lapsed lease."""
        if execution.state == LEASED:
            return attempt == execution.attempt
        is_lapsed = execution.state in {QUEUED, OFFERED} and execution.lease > 0
        return self.has("attempt-at-grant") and is_lapsed and attempt == execution.attempt

    def _fence(self, execution: Execution, report: Report) -> None:
        if report.lease != execution.lease:
            self.violations.append(f"I3 a fenced lease changed the state: {report.kind}")

    def _record_result(self, state: State, report: Report) -> State | None:
        """Record a result; None if it does not count."""
        execution = state.executions[report.execution]
        if execution.state in {AWAITS, JUDGED} and execution.result == report.attempt:
            return state
        if not self._counts(execution, report.attempt) or state.job != "IN_PROGRESS":
            if execution.state in {QUEUED, OFFERED} and execution.lease == report.lease:
                self.violations.append("I4 a result is refused and the agent called again, though nobody took over")
            return None
        self._fence(execution, report)
        return state.with_row(report.execution, state=AWAITS, result=report.attempt, owner=None)

    def decide(self, state: State, report: Report) -> State:
        """Record a report, or refuse it."""
        number, identity = report.execution, (report.execution, report.attempt, report.kind)
        if identity in state.ids:
            return state
        recorded = self._record(state, number, report)
        # Without the rule: an id that was seen once is taken for a repeat, also where it was refused.
        ids = state.ids if self.has("repeats-by-the-row") else state.ids | {identity}
        return (state if recorded is None else recorded)._replace(ids=ids)

    def _record(self, state: State, number: int, report: Report) -> State | None:
        execution, kind = state.executions[number], report.kind
        if kind == RESULT:
            return self._record_result(state, report)
        if kind == BEGUN:
            runs = execution.state == LEASED and report.attempt == execution.attempt
            return self.move(state, number, "IN_PROGRESS") if runs else None
        if kind in {ATTEMPT_FAILED, FAILURE}:
            if not self._counts(execution, report.attempt) or state.job not in {"ASSIGNED", "IN_PROGRESS"}:
                return None
            self._fence(execution, report)
            return self.requeue(state, number) if kind == ATTEMPT_FAILED else self.move(state, number, "FAILED", kind)
        is_result = execution.state in {AWAITS, JUDGED} and report.attempt == execution.result
        if not is_result or (self.has("judging-lease") and report.lease != execution.judging):
            return None
        if report.lease != execution.judging:
            self.violations.append("I3 a fenced judging lease decided")
        return self._conclude(state, number, kind)

    def _conclude(self, state: State, number: int, verdict: str) -> State | None:
        """End an execution by a verdict, and request what follows by policy: nothing where the judge has failed."""
        to = {UNPROVEN: "FAILED" if self.has("unproven-fails") else "RESUBMISSION_REQUIRED"}.get(verdict, verdict)
        moved, following = self.move(state, number, to, verdict), number + 1
        if moved is None or to != "RESUBMISSION_REQUIRED" or not self._is_automatic:
            return moved
        if following == len(state.executions) or state.executions[following].state != UNKNOWN:
            return moved
        return self.request(moved, following).with_row(following, is_by_policy=True)

    def rejudge(self, state: State, verdict: str) -> State:
        """Record another verdict on the first result, which is unproven; one that is so, too, changes nothing."""
        ended = state._replace(rejudging="ended")
        is_last = not state.live and state.executions[1].state == UNKNOWN
        if verdict == UNPROVEN or (self.has("rejudge-the-last") and not is_last):
            return ended
        opened = state._replace(job="IN_PROGRESS", rejudging="recorded")
        return self._conclude(opened, 0, verdict) or ended

    def grant(self, state: State, worker: int, number: int) -> tuple[State, bool]:
        """Answer BeginExecutions for one record: return the state after it, and whether a lease was granted."""
        execution = state.executions[number]
        if execution.state == UNKNOWN:
            is_cancelled = execution.is_cancelled_early
            if state.job not in RESTS or state.live or (is_cancelled and self.has("cancel-before-arrival")):
                keeps = self.has("keep-answers") or is_cancelled
                return (state.with_row(number, state=DONE, answer="refused") if keeps else state), False
            if is_cancelled:
                self.violations.append("a request was executed although it had been cancelled before")
            state = self.request(state, number)
            execution = state.executions[number]
        if execution.state == LEASED and execution.owner == worker and self.has("regrant-to-owner"):
            return state.with_executor(worker, self._make_work(execution, number, execution.attempt)), True
        if execution.state not in {QUEUED, OFFERED}:
            return state, False
        attempt = execution.attempt + self.has("attempt-at-grant")
        granted = state.with_row(number, state=LEASED, owner=worker, lease=execution.lease + 1, attempt=attempt)
        if self.has("claim-begins"):
            granted = self.move(granted, number, "IN_PROGRESS") or granted
        if granted.live > 1:
            self.violations.append("I3 two executions are live")
        return granted.with_executor(worker, self._make_work(granted.executions[number], number, attempt)), True

    def _make_work(self, execution: Execution, number: int, attempt: int) -> Work:
        return Work(number, attempt, execution.lease, GRANTED, execution.follows_only)

    def grant_judging(self, state: State, worker: int, result: Report) -> tuple[State, bool]:
        """Answer BeginJudgings for one record, like `grant`; the result is recorded in the same transaction."""
        recorded = self._record_result(state, result)
        if recorded is None:
            return state, False
        execution = recorded.executions[result.execution]
        if execution.state == JUDGED and not (execution.judge == worker and self.has("regrant-to-owner")):
            return recorded, False
        lease = execution.judging + (execution.state == AWAITS)
        granted = recorded.with_row(result.execution, state=JUDGED, judging=lease, judge=worker)
        return granted.with_validator(worker, Work(result.execution, result.attempt, lease, JUDGES)), True
