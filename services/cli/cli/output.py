"""Print the output of a command: tables and lines for people, or JSON. No text steers the terminal."""

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TextIO

from cli.errors import ExitStatus, build_problem
from cli.terminal import Styled, cut, render_line, render_list, render_table, replace_line
from signoff.errors import ErrorCode
from signoff.status import JobLogStatus
from signoff.values import time_text, to_nanos, usd_text

if TYPE_CHECKING:
    from signoff.identity import AccessToken, Caller, Session
    from signoff.judging import Ask, Criterion, CriterionVerdict, CriterionWarning, Verdict
    from signoff.types import InboxGroup, Job, JobLog, PastWait, Percentiles, Policy, Reason, Waiting, WaitingSum

    #: What names the cause of a wait by its code, and the limit or agent in question.
    Cause = Reason | WaitingSum | PastWait | InboxGroup

#: A part of an id that a command takes has so many characters at least.
PART_MIN_CHARS: Final = 4
#: Ids of so many characters are shown with a short end.
LONG_ID_CHARS: Final = 24


def find_short_ends(ids: Sequence[str]) -> list[str]:
    """Return for each id, in order, its shortest end that no other id has, or "" for an id below LONG_ID_CHARS."""
    return [_find_short_end(each, {*ids} - {each}) if len(each) >= LONG_ID_CHARS else "" for each in ids]


def _find_short_end(own: str, others: Iterable[str]) -> str:
    ends = (own[-length:] for length in range(PART_MIN_CHARS, len(own)))
    return next((end for end in ends if not any(each.endswith(end) for each in others)), own)


STYLES = {
    "COMPLETED": "green",
    "FAILED": "red",
    "REJECTED": "red",
    "RESUBMISSION_REQUIRED": "yellow",
    "IN_PROGRESS": "cyan",
    "CANCELLED": "magenta",
    "MATCHING_FAILED": "magenta",
    "DONE": "green",
    "RUNNING": "cyan",
    "REFUSED": "red",
    "PAUSED": "yellow",
    "CANCELLING": "magenta",
}
#: Ids as they are made.
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
#: On a terminal longer messages and payloads are cut, unless it is to be `plain`.
MESSAGE_MAX_CHARS = 300

#: The kind of an entry that records an edit.
_EDITED: Final = "edited"


def style_status(status: str) -> Styled:
    """Return a status in its colour."""
    return Styled(status, STYLES.get(status.strip(), ""))


def style_status_of(job: "Job") -> Styled:
    """Return a job's status in its colour, and a cancelled job's with `(cancelled)`, since the job does not wait."""
    return Styled(f"{job.status} (cancelled)", STYLES["CANCELLED"]) if job.cancelled else style_status(job.status)


def format_time(moment: datetime, *, with_ms: bool = False) -> str:
    """Return a moment as text with date, time, milliseconds if `with_ms`, and this machine's time zone."""
    local = moment.astimezone()
    fraction = f".{local.microsecond // 1000:03}" if with_ms else ""
    return f"{local:%Y-%m-%d %H:%M:%S}{fraction} {local:%Z}"


def format_seconds(seconds: float) -> str:
    """Return a length of time for people to read, such as `1.50 s`, `2m 03s` or `1h 02m 03s`."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"


def format_percentiles(times: "Percentiles | None") -> str:
    """Return percentiles for people to read; "" where nothing was measured."""
    measured = {} if times is None else {name: getattr(times, name) for name in ("p50", "p95", "p99")}
    return ", ".join(f"{name} {format_seconds(value)}" for name, value in measured.items() if value is not None)


def format_percent(progress: float | None) -> str:
    """Return the progress of a job in percent; "" if its agent reported none."""
    return "" if progress is None else f"{progress:.0%}"


def format_usd(usd: Decimal | str | int) -> str:
    """Return an amount of money with six significant digits, however small it is."""
    return f"{Decimal(f'{float(usd):.6g}'):f} USD"


def format_spent(usd: Decimal | str | None, tokens: int | None, *, claimed: bool = False) -> str:
    """Return spent money and tokens, "" if both are 0 or unknown; `claimed` adds that agents and judges claim them."""
    words = [*([format_usd(usd)] if usd and float(usd) else []), *([f"{tokens} tokens"] if tokens else [])]
    return ", ".join([*words, *["as claimed by agents and judges"] * (claimed and bool(words))])


def format_criterion(one: "Criterion | CriterionVerdict") -> str:
    """Return a criterion as a line of the text form, with the kind, since criteria of two kinds may have one text."""
    return ": ".join([*["optional"] * (not one.required), *[one.kind] * (one.kind != "meets"), one.text])


def format_last_code(job: "Job") -> str | None:
    """Return the code of a job's newest log entry, if any, and the HTTP status if the agent answered with an error."""
    code, message = (None, None) if job.last_log is None else (job.last_log.code, job.last_log.message or "")
    status = message.removeprefix("the agent answered ")[:3] if message and code == ErrorCode.AGENT_STATUS else ""
    return f"{code} {status}" if status.isdecimal() else code


def name_tenants(holder: "Caller | AccessToken | Session") -> str:
    """Return the tenants that a credential is of: `press, web`, or `all tenants`."""
    return "all tenants" if holder.all_tenants else ", ".join(holder.tenants)


def format_labels(labels: Mapping[str, str]) -> str:
    """Return labels as `name=value` with spaces between, in the form in which --label takes a label."""
    return " ".join(f"{name}={value}" for name, value in labels.items())


def format_policy(policy: "Policy") -> str:
    """Return the fields of a policy that are set as `name=value` with spaces between, in the form --policy takes."""
    fields = {name: ",".join(value) if isinstance(value, list) else value for name, value in vars(policy).items()}
    return " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)


def format_asks(verdict: "Verdict") -> str:
    """Return a verdict's judge and model, and the number, cost and time of its asks of models, as far as known."""
    asks = list_asks(verdict)
    who = ", ".join(filter(None, (verdict.judge, verdict.model)))
    if not asks:
        return who
    usd = sum((Decimal(ask.cost_usd or 0) for ask in asks), Decimal(0))
    tokens = sum((ask.input_tokens or 0) + (ask.output_tokens or 0) for ask in asks)
    count = sum(ask.sum_of or 1 for ask in asks)
    took = format_seconds(sum(ask.latency_s or 0.0 for ask in asks))
    parts = (f"{count} asks" if count > 1 else "1 ask", format_spent(usd, tokens), took, format_refusals(asks))
    return f"{who}: {', '.join(filter(None, parts))}"


def list_asks(verdict: "Verdict") -> "list[Ask]":
    """Return all asks of models that a verdict was made of."""
    return [ask for stage in verdict.stages or () for ask in stage.asks]


def format_refusals(asks: "Sequence[Ask]") -> str:
    """Return how many asks models refused before they answered, and the last reason; "" if they refused none."""
    refused = [ask for ask in asks if ask.refused]
    count = sum(ask.refused or 0 for ask in refused)
    return f"{count} refused before, last {refused[-1].last_refusal}" if refused else ""


def find_agent_of(limit: str) -> str | None:
    """Return the agent's id in the name of a limit of an agent, `agent:<id>`; None for any other limit."""
    kind, _, agent_id = limit.partition(":")
    return agent_id if kind == "agent" else None


def to_json(document: Any) -> str:
    """Return compact JSON of plain values, times and records. Null fields are left out, except in the JSON of users."""
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if value is not None}
    return json.dumps(document, default=_to_plain, ensure_ascii=False, separators=(",", ":"))


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Decimal):
        return usd_text(to_nanos(value))
    nulls = getattr(value, "nulls", None) or ()
    return {
        name: each
        for name, each in vars(value).items()
        if (each is not None or name in nulls) and (name, each) != ("next_page_token", "")
    }


class Output:
    """The output of one command: JSON, or text for people."""

    def __init__(self, *, as_json: bool, plain: bool = False, words: "Sequence[str]" = ()) -> None:
        self.as_json = as_json
        self.plain = plain
        #: The command as it was called, without `signoff`.
        self.words = words
        #: The names of agents by their ids, as far as they were looked up.
        self.agent_names: dict[str, str] = {}
        self._in_progress = False

    @property
    def is_whole(self) -> bool:
        """Whether no text is cut: standard output is no terminal, or the output is to be `plain`."""
        return self.plain or not sys.stdout.isatty()

    def name_agent(self, agent_id: str | None, *, with_id: bool = True) -> str:
        """Return an agent's name, followed by its id if `with_id` and they differ; the id if no name is known."""
        known = agent_id or ""
        name = self.agent_names.get(known, known)
        return f"{name} ({known})" if with_id and name != known else name

    def name_limit(self, limit: str, *, with_id: bool = True) -> str:
        """Return a limit's name. The agent in it is named by its id and its name, or without `with_id` by its name."""
        agent_id = find_agent_of(limit) or ""
        name = self.agent_names.get(agent_id, agent_id)
        if name == agent_id:
            return limit
        return f"{limit} ({name})" if with_id else f"agent:{name}"

    def name_agents_in(self, text: str | None) -> str:
        """Return a text in which known names of agents replace those ids of agents that are UUIDs; "" for None."""
        return _UUID.sub(lambda found: self.agent_names.get(found[0], found[0]), text or "")

    def print(self, document: Any, *parts: str | Styled) -> None:
        """Print `document` as JSON with --json, else a line of `parts`."""
        self.print_json(document)
        self.print_line(*parts)

    def print_json(self, document: Any) -> None:
        """Print `document` as JSON on one line; print nothing without --json."""
        if self.as_json:
            _write(sys.stdout, to_json(document) + "\n")

    def print_line(self, *parts: str | Styled) -> None:
        """Print a line of `parts`; print nothing with --json."""
        if not self.as_json:
            _write(sys.stdout, render_line(parts, sys.stdout, plain=self.plain) + "\n")

    def print_table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table, on a terminal with its last column wrapped to fit; print nothing with --json."""
        if not self.as_json:
            _write(sys.stdout, render_table(columns, rows, sys.stdout, plain=self.plain))

    def print_fields(self, *rows: tuple[str, object]) -> None:
        """Print each row (name, value) whose value is neither None nor "", a line each; print nothing with --json."""
        self.print_table(["", ""], [row for row in rows if row[1] is not None and row[1] != ""])

    def print_items(
        self,
        items: Sequence[Any],
        next_page_token: str,
        columns: Mapping[str, Callable[[Any], object]],
        *,
        note: str = "",
        spared: Sequence[str] = (),
        wrapped: bool = False,
        **more: Any,
    ) -> None:
        """Print items as JSON with members `more`, or as a list with a `note`; `columns` are functions of an item."""
        self.print_page(items, next_page_token, **more)
        rows = [[get(item) for get in columns.values()] for item in items]
        self.print_list([*columns], rows, spared=spared, wrapped=wrapped)
        if note:
            self.print_line(note)
        self.print_next_page_token(next_page_token)

    def print_list(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        spared: Sequence[str] = (),
        wrapped: bool = False,
    ) -> None:
        """Print rows of a list, whose first cells are ids, with the short ends of the ids; print nothing with --json.

        Columns other than the first and last are left out if all their cells are empty, and, on a terminal, those in
        `spared`, in that order, until the rest fits. Then text that is too long is cut, or with `wrapped` is wrapped.
        """
        if self.as_json:
            return
        ends = find_short_ends([str(row[0]) for row in rows])
        names = [columns[0], "short", *columns[1:]]
        cells = [(row[0], end, *row[1:]) for row, end in zip(rows, ends, strict=True)]
        last = len(names) - 1
        kept = [n for n in range(len(names)) if n in {0, last} or any(row[n] not in {None, ""} for row in cells)]
        text = render_list(
            [names[n] for n in kept],
            [[row[n] for n in kept] for row in cells],
            sys.stdout,
            spared=[name for name in dict.fromkeys((*spared, "short")) if names.index(name) in kept],
            wrapped=wrapped,
            plain=self.plain,
        )
        _write(sys.stdout, text)

    def print_error(
        self,
        message: str,
        code: str,
        status: ExitStatus,
        *,
        grpc_status: str = "",
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Print on standard error why a command failed: as a problem of RFC 9457 with --json, else as a line."""
        problem = build_problem(message, code, status, grpc_status=grpc_status, fields=dict(fields))
        self.print_aside(problem, Styled(f"error: {message}", "red"))

    def print_warnings(self, warnings: "Sequence[CriterionWarning]") -> None:
        """Print warnings about ambiguous criteria, with suggestions for better ones, on standard error."""
        for one in warnings:
            lines = [f"warning: {one.message}", *(one.suggestion or "").splitlines()]
            self.print_aside({"warning": one}, Styled("; instead: ".join(lines), "yellow"))

    def warn(self, message: str) -> None:
        """Print a warning beside the output of the command, on standard error."""
        self.print_aside({"warning": {"message": message}}, Styled(f"warning: {message}", "yellow"))

    def print_aside(self, document: Any, text: Styled) -> None:
        """Print a remark beside the output of the command, on standard error: `document` with --json, else `text`."""
        line = to_json(document) if self.as_json else render_line([text], sys.stderr, plain=self.plain)
        _write(sys.stderr, line + "\n")

    def shorten(self, text: str | None) -> str:
        """Return a text cut to MESSAGE_MAX_CHARS, or whole if the output is no terminal or is `plain`; "" for None."""
        return text or "" if self.is_whole else cut(text or "", MESSAGE_MAX_CHARS)

    def show_log(self, log: "JobLog", name: str = "") -> None:
        """Print a log entry: as JSON with --json, else as a line of a timeline, after `name`; edits show no status."""
        self.print_json(log)
        is_edit = log.kind == _EDITED
        word = _EDITED if is_edit else log.status
        message = self.shorten(self.name_agents_in(log.message)).removeprefix(f"{_EDITED}: " if is_edit else "")
        attempt = f"attempt {log.attempt}" if log.attempt and not message.startswith("attempt") else ""
        progress = format_percent(log.progress) if log.status is JobLogStatus.IN_PROGRESS else ""
        code = "" if is_edit else log.code or ""
        what = " · ".join(part for part in (attempt, code, progress, message) if part)
        if cost := format_spent(log.cost_usd, log.tokens):
            what += f" ({cost} so far)"
        self.print_line(
            f"{format_time(log.created_at, with_ms=True)}  {name}v{log.version:<3} ",
            style_status(f"{word:<22}" if what else word),
            what,
        )

    def print_progress(self, document: Any, *parts: str | Styled) -> None:
        """Print progress: on a terminal in place of the progress before, elsewhere or with --json on its own line."""
        if self.as_json or self.is_whole:
            self.print(document, *parts)
            return
        _write(sys.stdout, replace_line(render_line(parts, sys.stdout, plain=self.plain)))
        self._in_progress = True

    def end_progress(self) -> None:
        """End the line on a terminal that shows progress, if there is one."""
        if self._in_progress:
            _write(sys.stdout, "\n")
        self._in_progress = False

    def print_page(self, items: Sequence[Any], next_page_token: str, **more: Any) -> None:
        """Print a page of items as JSON with the members `more`; print nothing without --json."""
        token = {"next_page_token": next_page_token} if next_page_token else {}
        self.print_json({"items": items, **token, **more})

    def print_next_page_token(self, next_page_token: str | None) -> None:
        """Print the command that shows the next page; print nothing after the last page, or with --json."""
        if next_page_token:
            self.print_line(f"more: {_name_next_page(self.words, next_page_token)}")


def _name_next_page(words: "Sequence[str]", next_page_token: str) -> str:
    """Return a command as it was called, but for the next page, to be pasted into a shell; no secret is printed."""
    kept, rest = ["signoff"], iter(words)
    for word in rest:
        name, has_value, _ = word.partition("=")
        if name not in {"--page-token", "--cursor", "--token"}:
            kept.append(shlex.quote(word))
        else:
            if not has_value:
                next(rest, None)
            kept += ["--token", '"$SIGNOFF_TOKEN"'] if name == "--token" else []
    end = kept.index("--") if "--" in kept else len(kept)
    return " ".join([*kept[:end], "--page-token", shlex.quote(next_page_token), *kept[end:]])


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()  # so that a reader sees it now, and that there is none any more is noticed here


#: Codes whose name is the id of an agent (contracts.waiting.WaitCode).
_OF_AGENTS: Final = ("circuit_open", "circuit_probing", "agent_disabled")


def list_agents_of(causes: "Iterable[Cause]") -> Iterator[str]:
    """Yield the ids of the agents that causes of waiting are about; not every cause is about an agent."""
    for cause in causes:
        if agent_id := cause.name if cause.code in _OF_AGENTS else find_agent_of(cause.name):
            yield agent_id


def name_cause(out: Output, cause: "Cause", *, with_id: bool = True) -> str:
    """Return the code of a cause of waiting, and the name of its limit or agent: `limit_concurrency tenant:press`."""
    name_it = out.name_agent if cause.code in _OF_AGENTS else out.name_limit
    name = name_it(cause.name, with_id=with_id)
    return f"{cause.code} {name}".rstrip()


def print_reasons(out: Output, waiting: "Waiting") -> None:
    """Print each cause for which a job waits, and below each cause who can remove it, and how."""
    for reason in waiting.reasons:
        _print_reason(out, describe_reason(out, reason), reason)


def print_sums(out: Output, sums: "Sequence[WaitingSum]") -> None:
    """Print each cause of waiting with the number of executions that wait for it, and below each cause its remedy."""
    for each in sums:
        until = f", until {format_time(each.until)} at the earliest" if each.until else ""
        _print_reason(out, describe_sum(out, each) + until, each)


def describe_sum(out: Output, each: "WaitingSum", *, with_id: bool = True) -> str:
    """Return how many executions wait for one cause: `390 for limit_concurrency tenant:press`."""
    return f"{each.count} for {name_cause(out, each, with_id=with_id)}"


def describe_reason(out: Output, reason: "Reason") -> str:
    """Return a cause of waiting with its counts and times, such as `limit_concurrency tenant:press, 5 of 5`."""
    words = [name_cause(out, reason)]
    if reason.used is not None:
        words.append(f"{reason.used} of {reason.allowed}" if reason.allowed is not None else f"{reason.used} in a row")
    if reason.allowed_usd is not None:
        agents, judges = (format_usd(usd or 0) for usd in (reason.agents_usd, reason.judges_usd))
        words.append(f"agents {agents} and judges {judges} of {format_usd(reason.allowed_usd)}")
    words += [f"since {format_time(reason.since)}"] if reason.since else []
    words += [f"until {format_time(reason.until)}"] if reason.until else []
    return ", ".join(words)


def _print_reason(out: Output, words: str, reason: "Reason | WaitingSum") -> None:
    out.print_line("  ", Styled(words, "bold"))
    out.print_line(f"    {reason.owner}: {reason.remedy}")
