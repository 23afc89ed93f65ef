"""Fold the facts of jobs into spans: the same facts make the same spans, with the same ids, whoever folds them. Pure.

A trace is of a chain: an execution that somebody asked for, with all submissions that follow by policy; or a verdict
that was taken anew. docs/tracing.md has the tree of spans.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

from contracts.traceparent import TraceContext, derive_span_id, derive_trace_id, find_own, name_call, name_judging
from contracts.waiting import WaitCode
from jobstore.jobs.model import SIGNOFF, TransitionKind
from jobstore.jobs.transitions import is_end
from jobstore.tracing.facts import Asked, Entry, Fact, Verdict
from signoff.errors import ErrorCode
from signoff.status import JobLogStatus, Outcome, Resubmit

Attributes: TypeAlias = Mapping[str, str | int | float | bool | None]

#: Jobs of which it is remembered which trace was the last, so that the next one is linked to it, and what is published
#: again begins none.
LINKS_MAX: Final = 100_000
#: Events of one call; an agent may report more progress.
EVENTS_MAX: Final = 100


class SpanKind(IntEnum):
    """The kinds of spans, by their numbers in OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class SpanEvent(NamedTuple):
    """Something that happened within a span."""

    at: datetime
    name: str
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """A span: what took how long. `error` is a stable code; `links` lead to spans of other traces."""

    trace: TraceContext
    span_id: str
    parent_id: str | None
    name: str
    begun_at: datetime
    ended_at: datetime
    kind: SpanKind = SpanKind.INTERNAL
    attributes: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    events: list[SpanEvent] = field(default_factory=list)
    links: list[TraceContext] = field(default_factory=list)
    error: str | None = None


@dataclass(slots=True)
class Chain:
    """The facts of one trace. `trace` has its root; `parent_id` is the span of whoever asked; `link` the trace before.

    It `is_whole` while its last submission has ended, and then `is_held` if another one follows by policy.
    """

    job_id: str
    trace: TraceContext
    parent_id: str | None
    link: TraceContext | None
    facts: list[Fact] = field(default_factory=list)
    is_automatic: bool = False
    is_held: bool = False
    is_whole: bool = False

    @property
    def is_of_rejudging(self) -> bool:
        """Whether it is of a verdict that was taken anew."""
        return self.facts[0].log.kind == TransitionKind.REJUDGED


#: An outcome that leads to another submission has no code but this one.
_FOLLOWED: Final = (None, ErrorCode.VERDICT_REUSED)


class Chains:
    """The chains that have begun and not ended, by job."""

    def __init__(self) -> None:
        self.open: dict[str, Chain] = {}
        #: How many facts the open chains have.
        self.facts = 0
        self._last: OrderedDict[str, tuple[TraceContext, int]] = OrderedDict()

    def add(self, fact: Fact) -> list[Chain]:
        """Add the next fact of a job, and return the chains that it ends. A repeated fact changes nothing."""
        log, chain, ended = fact.log, self.open.get(fact.job_id), list[Chain]()
        if fact.stub is not None or log.kind is None or _is_late(log):
            return ended
        if fact.version <= self._find_version(fact.job_id, chain):
            return ended
        follows = _is_by_policy(log) or log.kind == TransitionKind.HANDED_ON
        if chain is not None and (log.kind in _BEGINNINGS or chain.is_held) and not (chain.is_held and follows):
            ended.append(self.close(chain))
            chain = None
        if chain is None and _begins(fact):
            chain = self.open[fact.job_id] = self._begin(fact)
        if chain is None:
            return ended
        chain.facts.append(fact)
        self.facts += 1
        if fact.requested is not None:
            chain.is_automatic = fact.requested.policy.resubmit == Resubmit.AUTOMATIC
            chain.is_held = chain.is_whole = False
        if is_end(log.kind, log.status, log.execution_id):
            chain.is_held = self._is_followed(chain, log)
            chain.is_whole = True
            if not chain.is_held:
                ended.append(self.close(chain))
        return ended

    def close(self, chain: Chain) -> Chain:
        """End a chain, whether or not its facts are whole."""
        del self.open[chain.job_id]
        self.facts -= len(chain.facts)
        self._last[chain.job_id] = chain.trace, chain.facts[-1].version
        self._last.move_to_end(chain.job_id)
        if len(self._last) > LINKS_MAX:
            self._last.popitem(last=False)
        return chain

    def _find_version(self, job_id: str, chain: Chain | None) -> int:
        """Return the version of the last fact of a job that stands in a trace; 0 if none is known."""
        if chain is not None:
            return chain.facts[-1].version
        return self._last[job_id][1] if job_id in self._last else 0

    def _begin(self, fact: Fact) -> Chain:
        log, requested, (link, _) = fact.log, fact.requested, self._last.get(fact.job_id, (None, 0))
        if log.kind == TransitionKind.REJUDGED:
            root = TraceContext(derive_trace_id(log.id), derive_span_id("job", log.id))
            return Chain(fact.job_id, root, None, link)
        traceparent = requested.traceparent if requested else None
        given = TraceContext.parse(traceparent)
        trace = find_own(traceparent, log.execution_id or log.id)
        return Chain(fact.job_id, trace, given.span_id if given else None, link)

    @staticmethod
    def _is_followed(chain: Chain, log: Entry) -> bool:
        is_sent_back = log.kind == TransitionKind.NOT_MET and log.status == JobLogStatus.RESUBMISSION_REQUIRED
        return is_sent_back and chain.is_automatic and log.code in _FOLLOWED and not chain.is_of_rejudging


def _is_late(log: Entry) -> bool:
    """Return whether an entry comes after the end of its execution: it is of no span."""
    is_late_result = log.kind == TransitionKind.RESULT and log.status == JobLogStatus.CANCELLED
    return is_late_result or log.kind == TransitionKind.SPENT


_BEGINNINGS: Final = frozenset({TransitionKind.REQUESTED, TransitionKind.REJUDGED})


def _begins(fact: Fact) -> bool:
    """Return whether a fact begins a chain.

    A submission by policy that has a trace goes on with a chain; where that is not known here, it has ended, and was
    sent by whoever read its begin.
    """
    goes_on = _is_by_policy(fact.log) and fact.requested is not None and fact.requested.traceparent is not None
    return fact.log.kind in _BEGINNINGS and not goes_on


def _is_by_policy(log: Entry) -> bool:
    return log.kind == TransitionKind.REQUESTED and log.actor == SIGNOFF


def fold(chain: Chain, *, content: bool = False) -> list[Span]:
    """Return the spans of a chain, the root first. Texts of users, agents and judges are in them if `content`."""
    return _Folding(chain, content).fold()


_VERDICTS: Final = frozenset({TransitionKind.MET, TransitionKind.NOT_MET, TransitionKind.MISJUDGED})
_OUTCOMES: Final = frozenset(
    {
        TransitionKind.CALL_FAILED,
        TransitionKind.ATTEMPT_FAILED,
        TransitionKind.RESULT,
        TransitionKind.DECLINED,
        TransitionKind.FAILED,
    }
)
#: These end an attempt; all entries that end the execution do, too.
_ATTEMPT_ENDS: Final = frozenset(
    {TransitionKind.ATTEMPT_FAILED, TransitionKind.RESULT, TransitionKind.GIVEN_BACK, TransitionKind.LAPSED}
)
_SCORES: Final[Mapping[str, float]] = {Outcome.PASS: 1.0, Outcome.FAIL: 0.0}


class _Folding:
    """The spans of one chain, as its facts are read in order. A parent that is open ends where its chain does."""

    def __init__(self, chain: Chain, content: bool) -> None:
        first = chain.facts[0]
        self._chain = chain
        self._content = content
        self._now = first.log.created_at
        self._spans = list[Span]()
        self._waited = 0
        name = "rejudge_job" if chain.is_of_rejudging else "execute_job"
        self._root = self._add(chain.trace.span_id, None, name)
        self._root.parent_id = chain.parent_id
        self._root.kind = SpanKind.INTERNAL if chain.parent_id is None else SpanKind.SERVER
        self._root.links += [chain.link] if chain.link else []
        self._submission = self._root
        self._attempt: Span | None = None
        self._call: Span | None = None
        self._call_at: datetime | None = None
        self._failed_at = self._now
        self._judged_from: datetime | None = None
        self._spent = 0
        self._tokens, self._cost_usd = first.log.tokens or 0, first.log.cost_usd or 0

    def fold(self) -> list[Span]:
        facts, root = self._chain.facts, self._root
        for fact in facts:
            self._now = max(self._now, fact.log.created_at)
            self._read(fact)
        self._end_all(None if self._chain.is_whole else "incomplete")
        root.ended_at = self._now
        last, job = facts[-1].log, facts[-1].job
        root.attributes |= {
            "signoff.job.id": self._chain.job_id,
            "signoff.tenant": job.tenant,
            "signoff.job.status": last.status if self._chain.is_whole else None,
            "signoff.incomplete": None if self._chain.is_whole else True,
            "signoff.job.title": job.title if self._content else None,
            "signoff.submissions": sum(fact.log.kind == TransitionKind.REQUESTED for fact in facts) or None,
            "gen_ai.agent.id": last.agent_id,
        }
        root.error = self._submission.error
        return self._spans

    def _read(self, fact: Fact) -> None:
        log = fact.log
        self._add_waits(log)
        if log.kind == TransitionKind.REQUESTED:
            self._begin_submission(fact)
        elif log.kind == TransitionKind.CLAIMED:
            self._end_attempt("lost")
            attempt = derive_span_id("attempt", log.execution_id, log.attempt)
            self._attempt = self._add(attempt, self._submission, "attempt")
            self._attempt.attributes["signoff.attempt"] = log.attempt
        elif log.kind == TransitionKind.CALL_BEGUN:
            self._begin_call()
        elif log.kind == TransitionKind.PROGRESS and self._call is not None and len(self._call.events) < EVENTS_MAX:
            told = {"signoff.progress": log.progress, "signoff.message": log.message if self._content else None}
            self._call.events.append(SpanEvent(self._now, "progress", told))
        elif self._attempt is not None and log.kind in _OUTCOMES and log.code != ErrorCode.RESULT_REUSED:
            self._end_call(log)
        elif log.verdict is not None or (log.duration_s is not None and self._judged_from is not None):
            self._judge(log)
        if log.kind in _ATTEMPT_ENDS:
            self._end_attempt(None if log.kind == TransitionKind.RESULT else log.code or log.kind)
        if log.kind == TransitionKind.RESULT:
            self._judged_from = self._now
            self._submission.attributes["signoff.result_reused"] = log.code == ErrorCode.RESULT_REUSED or None
        self._spent = self._spent if log.spent_calls is None else log.spent_calls
        if is_end(log.kind, log.status, log.execution_id):
            self._end_submission(log)

    def _begin_submission(self, fact: Fact) -> None:
        log, terms = fact.log, fact.requested
        self._submission = self._add(derive_span_id("submission", log.execution_id), self._root, "submission")
        self._spent, self._judged_from, self._waited, self._call_at = 0, None, 0, None
        self._submission.attributes |= {
            "signoff.execution.id": log.execution_id,
            "signoff.submission": log.submission,
            "signoff.batch.id": terms.batch_id if terms else None,
            "gen_ai.agent.id": log.agent_id,
        }

    def _end_submission(self, log: Entry) -> None:
        is_failed = log.status == JobLogStatus.FAILED
        self._end_all(log.code or (log.kind if is_failed else "cancelled"))
        self._submission.error = (log.code or log.kind) if is_failed else None
        self._submission.attributes |= {"signoff.status": log.status, "signoff.code": log.code}
        if self._content:
            self._submission.attributes["signoff.message"] = log.message
        self._submission.ended_at = self._now

    def _end_all(self, error: str | None) -> None:
        self._end_attempt(error)
        self._submission.ended_at = max(self._submission.ended_at, self._now)

    def _end_attempt(self, error: str | None) -> None:
        if self._attempt is None:
            return
        if self._call is None and self._call_at is not None and self._call_at < self._now:
            self._open_call(self._call_at)  # it was due, and nothing more was heard of it
        self._end_backoff(self._now)
        if self._call is not None:
            self._close_call(self._now, error)
        self._attempt.ended_at, self._attempt.error = self._now, error
        self._attempt = None

    def _end_backoff(self, at: datetime) -> None:
        """Add the wait before another call of the same attempt, if there was one."""
        if self._call_at is not None and self._attempt is not None:
            self._waited += 1
            self._add_wait(self._attempt, WaitCode.RETRY_BACKOFF, "", self._failed_at, min(self._call_at, at))
        self._call_at = None

    def _begin_call(self) -> None:
        if self._attempt is not None and self._call is None:
            self._open_call(self._now)

    def _open_call(self, at: datetime) -> None:
        assert self._attempt is not None
        self._end_backoff(at)
        number, attempt = self._spent + 1, self._attempt.attributes["signoff.attempt"]
        execution_id = str(self._submission.attributes["signoff.execution.id"])
        assert isinstance(attempt, int)
        agent = self._submission.attributes.get("gen_ai.agent.id")
        name = f"invoke_agent {agent}"
        self._call = self._add(name_call(execution_id, attempt, number), self._attempt, name, at)
        self._call.kind = SpanKind.CLIENT
        self._call.attributes |= {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.id": agent,
            "gen_ai.agent.name": agent,
            "gen_ai.conversation.id": self._chain.job_id,
            "signoff.call": number,
        }

    def _end_call(self, log: Entry) -> None:
        """End the call whose outcome an entry is; a call of which nothing else is known has taken what it says."""
        if self._call is None and log.duration_s is not None:
            assert self._attempt is not None
            earliest = min(self._call_at or self._attempt.begun_at, self._now)
            self._open_call(max(earliest, self._now - timedelta(seconds=log.duration_s)))
        if self._call is not None:
            self._call.attributes |= self._take_usage(log)
            if self._content:
                self._call.attributes["signoff.message"] = log.message
            error = None if log.kind == TransitionKind.RESULT else log.code or log.kind
            ended_at = self._now
            if log.duration_s is not None:
                ended_at = min(ended_at, self._call.begun_at + timedelta(seconds=log.duration_s))
            self._close_call(ended_at, error)
        if log.kind == TransitionKind.CALL_FAILED:
            self._failed_at, self._call_at = self._now, max(log.next_attempt_at or self._now, self._now)

    def _close_call(self, at: datetime, error: str | None) -> None:
        assert self._call is not None
        at = max([at, self._call.begun_at, *(event.at for event in self._call.events)])
        self._call.ended_at, self._call.error = at, error
        self._call = None

    def _judge(self, log: Entry) -> None:
        """Add the span of a judging that ended, and those of its asks."""
        verdict, is_reused = log.verdict, log.code == ErrorCode.VERDICT_REUSED
        duration = timedelta(seconds=0 if is_reused else log.duration_s or 0)
        begun_at = verdict.began_at if verdict and verdict.began_at and not is_reused else self._now - duration
        if self._judged_from is not None:
            begun_at = max(begun_at, self._judged_from)
        begun_at = min(begun_at, self._now)
        if self._chain.is_of_rejudging:
            span_id = derive_span_id("rejudging", log.id)
            self._root.begun_at = min(self._root.begun_at, begun_at)
        else:
            span_id = name_judging(log.execution_id or "", log.lease or 0)
        span = self._add(span_id, self._submission, "judge", begun_at)
        span.ended_at = self._now
        span.attributes |= self._take_usage(log)
        if verdict is None or log.kind == TransitionKind.MISJUDGED:
            span.error = log.code or log.kind
            return
        span.error = verdict.judge_error or (log.code if log.kind == TransitionKind.FAILED else None)
        span.attributes |= {
            "gen_ai.response.model": verdict.model,
            "signoff.judge": verdict.judge,
            "signoff.verdict.is_valid": verdict.is_valid,
            "signoff.verdict.reason": verdict.reason if self._content else None,
            "signoff.verdict.reused": is_reused or None,
        }
        span.events += self._list_evaluations(verdict)
        if not is_reused:
            asks = (ask for stage in verdict.stages for ask in stage.asks)
            for number, ask in enumerate(asks, 1):
                self._ask(span, number, ask)

    def _list_evaluations(self, verdict: Verdict) -> Iterator[SpanEvent]:
        for number, judged in enumerate(verdict.criteria, 1):
            about: dict[str, str | int | float | bool | None] = {
                "gen_ai.evaluation.name": judged.text if self._content else f"criterion {number}",
                "gen_ai.evaluation.score.label": judged.outcome,
                "gen_ai.evaluation.score.value": _SCORES.get(judged.outcome),
                "gen_ai.evaluation.explanation": judged.comment or None if self._content else None,
                "signoff.criterion.number": number,
                "signoff.criterion.kind": judged.kind,
                "signoff.criterion.required": judged.required,
                "signoff.criterion.unproven": judged.unproven or None,
            }
            yield SpanEvent(self._now, "gen_ai.evaluation.result", about)

    def _ask(self, judging: Span, number: int, ask: Asked) -> None:
        begun_at = min(judging.begun_at + timedelta(seconds=ask.began_s or 0), judging.ended_at)
        span = self._add(derive_span_id("ask", judging.span_id, number), judging, f"chat {ask.model}", begun_at)
        span.ended_at = min(begun_at + timedelta(seconds=ask.latency_s or 0), judging.ended_at)
        span.kind = SpanKind.CLIENT
        span.attributes |= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",  # whose API it is: no fact says whose model
            "gen_ai.response.model": ask.model,
            "gen_ai.usage.input_tokens": ask.input_tokens,
            "gen_ai.usage.output_tokens": ask.output_tokens,
            "gen_ai.response.id": ask.request_id,
            "signoff.cost_usd": None if ask.cost_usd is None else float(ask.cost_usd),
            "signoff.ask.role": ask.role,
            "signoff.ask.vote": ask.vote,
            "signoff.ask.section": ask.section,
            "signoff.ask.sum_of": ask.sum_of,
            "signoff.ask.refused": ask.refused,
        }

    def _take_usage(self, log: Entry) -> Attributes:
        """Return what the job has spent since the last entry that told it."""
        tokens, cost_usd = log.tokens or self._tokens, log.cost_usd or self._cost_usd
        spent = {"signoff.tokens": tokens - self._tokens or None, "signoff.cost_usd": float(cost_usd - self._cost_usd)}
        self._tokens, self._cost_usd = tokens, cost_usd
        return spent if any(spent.values()) else {}

    def _add_waits(self, log: Entry) -> None:
        for wait in log.waited or ():
            self._waited += 1
            since = min(max(wait.since, self._submission.begun_at), self._now)
            self._add_wait(self._submission, wait.code, wait.name, since, min(wait.until, self._now))

    def _add_wait(self, parent: Span, code: str, name: str, since: datetime, until: datetime) -> None:
        waiter = self._submission.attributes.get("signoff.execution.id") or self._root.span_id
        span_id = derive_span_id("wait", waiter, self._waited, code, name)
        span = self._add(span_id, parent, f"wait {code}", since)
        span.ended_at = max(since, until)
        span.attributes |= {"signoff.wait.code": code, "signoff.wait.name": name or None}

    def _add(self, span_id: str, parent: Span | None, name: str, begun_at: datetime | None = None) -> Span:
        at = begun_at or self._now
        parent_id = None if parent is None else parent.span_id
        span = Span(self._chain.trace, span_id, parent_id, name, at, at)
        self._spans.append(span)
        return span
