"""Judge the labelled cases of a file by policies, and show the report: as tables, and as a page of HTML."""

import asyncio
import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from cli.errors import CommandError, ExitStatus
from cli.options import validate_resource
from cli.output import Output
from cli.session import await_judgings
from cli.terminal import replace_controls
from contracts.judging.cases import (
    LINE_MAX_BYTES,
    BadLine,
    Case,
    NumberedCase,
    hash_question,
    hash_questions,
    read_cases,
)
from contracts.judging.evaluation import Asked, Evaluation, Judged
from contracts.judging.policy import DEFAULT_POLICY
from contracts.judging.statistics import QuorumWorth
from contracts.resources import CASES_MAX, NewJudgings
from signoff import AsyncClient
from signoff.connection import list_all
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.judging import Judging
from signoff.status import JudgingKind

#: Cases that are judged together, and held in memory.
BATCH: Final = 100
#: Bad lines that an error names.
SHOWN_MAX: Final = 10


class JudgeCases(Protocol):
    """A function that judges cases by a judge policy, `name` or `name@version`, and reuses no earlier verdict."""

    async def __call__(self, cases: Sequence[Case], policy: str, repeat: int) -> Sequence[Judged]:
        """Judge cases for the `repeat`-th time, counted from 1; return what was judged, in the order of the cases."""
        ...


@dataclass(frozen=True)
class Checked:
    """A file of labelled cases that was read and checked once, before any case is judged."""

    path: Path
    cases: int
    cases_hash: str
    skipped: Sequence[BadLine]


def check_file(path: Path, *, skip_bad: bool, submission: int = 1) -> Checked:
    """Read all cases of a file. Raise CommandError if it has none, or, without `skip_bad`, a line that is no case."""
    bad: list[BadLine] = []
    labelled: list[tuple[str, str]] = []
    for one in _read(path):
        if isinstance(one, BadLine):
            bad.append(one)
        else:
            labelled.append((hash_question(one.case.ask(submission)), one.case.write_labels()))
    if bad and not skip_bad:
        lines = "; ".join(f"line {one.line} {one.reason}" for one in bad[:SHOWN_MAX])
        more = f"; and {len(bad) - SHOWN_MAX} more" if len(bad) > SHOWN_MAX else ""
        message = f"{path} has lines that are no cases: {lines}{more}. Correct them, or leave them out with --skip-bad"
        raise CommandError(message, code=ErrorCode.BAD_CASES)
    if not labelled:
        raise CommandError(f"{path} has no cases", code=ErrorCode.NO_CASES)
    return Checked(path, len(labelled), hash_questions(labelled), bad)


async def evaluate(
    file: Checked, policies: Sequence[str], repeats: int, judge: JudgeCases, evaluation: UUID
) -> Mapping[str, Any]:
    """Judge all cases of a file `repeats` times by each policy; return the report, whose id is `evaluation`."""
    counted = Evaluation(policies)
    cases = (one.case for one in _read(file.path) if isinstance(one, NumberedCase))
    while batch := list(islice(cases, BATCH)):
        rounds = [(policy, repeat) for policy in policies for repeat in range(1, repeats + 1)]
        judged = list(zip(rounds, await asyncio.gather(*(judge(batch, *one) for one in rounds)), strict=True))
        for place, case in enumerate(batch):
            own = {policy: [made[place] for (by, _), made in judged if by == policy] for policy in policies}
            counted.add(case, own)
    return {
        "evaluation": str(evaluation),
        "cases_hash": file.cases_hash,
        "repeats": repeats,
        "skipped": [one._asdict() for one in file.skipped],
        **counted.report(),
    }


def reduce_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a report that a jobstore reads; others, such as disagreements, may be too large to send."""
    looked_at = ("policy", "versions", "overall")
    policies = [{name: one[name] for name in looked_at if name in one} for one in report["policies"]]
    return {"evaluation": report.get("evaluation"), "policies": policies}


def _read(path: Path) -> Iterator[NumberedCase | BadLine]:
    try:
        with path.open("rb") as file:
            yield from read_cases(iter(lambda: file.readline(LINE_MAX_BYTES + 1), b""))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", code=ErrorCode.UNREADABLE) from error


#: The largest JSON that one call sends, in bytes: less than gRPC takes, unless a single case is larger.
CALL_MAX_BYTES: Final = 2 << 20
#: Verdicts that one call returns.
PAGE: Final = 50


def judge_through(
    jobstore: AsyncClient, evaluation: UUID, submission: int = 1, out: Output | None = None
) -> JudgeCases:
    """Return a function that has a jobstore judge cases for `evaluation`, each as the given submission of its job.

    On `out`, if it is given, stands for what they wait.
    """

    async def judge(cases: Sequence[Case], policy: str, repeat: int) -> Sequence[Judged]:
        judged: list[Judged] = []
        for some in _divide(cases):
            named = None if policy == DEFAULT_POLICY else policy
            asked = {
                "kind": JudgingKind.EVALUATE,
                "cases": [case.ask(submission) | {"labels": case.write_labels()} for case in some],
                "judge": named,
                "evaluation": evaluation,
                "repeat": repeat,
            }
            new = validate_resource("NewJudgings", asked, "--judge")
            judged += map(_read_judging, await _make(jobstore, new, out))
        return judged

    return judge


def _divide(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases in groups of at most CASES_MAX, and of CALL_MAX_BYTES unless a single case is larger."""
    calls: list[list[Case]] = []
    room = 0
    for case in cases:
        size = len(case.write())
        if size > room or len(calls[-1]) == CASES_MAX:
            calls.append([])
            room = CALL_MAX_BYTES
        calls[-1].append(case)
        room -= size
    return calls


async def _make(jobstore: AsyncClient, new: NewJudgings, out: Output | None) -> list[Judging]:
    group_id = await jobstore.create_judgings(new)
    await await_judgings(jobstore, group_id, out)
    made = await list_all(jobstore.iter_judgings(group_id, page_size=PAGE))
    if len(made) != len(new.cases):
        message = f"{len(new.cases)} judgings were asked for, and {len(made)} came back: are they older than a day?"
        raise CommandError(message, code=ErrorCode.JUDGINGS_LOST, status=ExitStatus.NOT_MET)
    return sorted(made, key=lambda one: one.item)


def _read_judging(made: Judging) -> Judged:
    if made.verdict is None:
        return Judged("", False, error=made.code or ErrorCode.NO_VERDICT, reason=made.message or "")
    judged = Judged.of(made.verdict)
    if judged.asks:
        return judged
    # A verdict without stages has no asks; their sums are known.
    asked = Asked("judge", judged.outcomes, made.cost_usd or None, made.duration_s, made.tokens or None)
    return judged._replace(asks=[asked]) if made.tokens else judged


Report = Mapping[str, Any]
Row = Sequence[object]

#: Below this p, chance explains the difference of two policies badly.
P_MAX: Final = 0.05
_RATES: Final = (
    ("agreement", "agreement"),
    ("true positive rate", "true_positive_rate"),
    ("true negative rate", "true_negative_rate"),
    ("false accepts, of bad", "false_accept_rate"),
    ("false rejects, of good", "false_reject_rate"),
)
CRITERIA_HEADER: Final = ("criterion", "labels", "false accepts", "false rejects", "unsure", "agreement %", "kappa")


def format_share(interval: Report) -> str:
    """Return a share with its 95 % interval, in percent, as a text that says `undefined` if there is no share."""
    if interval["share"] is None:
        return "undefined: no such labels"
    return f"{100 * interval['share']:.1f} % ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"


def format_number(value: float | None, digits: int, unit: str = "") -> str:
    """Return a number with `digits` digits after the point, and with its unit; `undefined` for None."""
    return "undefined" if value is None else f"{value:.{digits}f}{unit}"


def list_measures(policies: Sequence[Report]) -> Sequence[Row]:
    """Return the rows of a table: one for each measure, with a column for each policy."""
    names = ["labelled results judged", *(name for name, _ in _RATES), "kappa", "unsure", "not judged"]
    names += ["flips over repeats", "criteria: agreement", "criteria: kappa", "asks", "cost", "an ask: median; 95 %"]
    rows: list[list[object]] = [[name] for name in names]
    for one in policies:
        overall, criteria, latency = one["overall"], one["all_criteria"], one["latency_s"]
        unjudged = ", ".join(f"{count} {code}" for code, count in sorted(one["unjudged"].items()))
        values = [
            f"{overall['labelled']}: {overall['good']} good, {overall['bad']} bad",
            *(format_share(overall[name]) for _, name in _RATES),
            format_number(overall["kappa"], 2),
            overall["unsure"],
            unjudged or 0,
            format_share(one["flips"]["cases"]) if one["flips"]["cases"]["share"] is not None else "not repeated",
            format_share(criteria["agreement"]),
            format_number(criteria["kappa"], 2),
            one["asks"],
            format_cost(one),
            f"{format_number(latency['median'], 2, ' s')}; {format_number(latency['p95'], 2, ' s')}",
        ]
        for row, value in zip(rows, values, strict=True):
            row.append(value)
    return rows


def format_cost(policy: Report) -> str:
    """Return the cost of all asks of a policy, as far as it is known."""
    if policy["cost_usd"] is None:
        return "unknown"
    unknown = policy["asks_of_unknown_cost"]
    return f"${Decimal(policy['cost_usd']):.4f}" + (f", without {unknown} asks of unknown price" if unknown else "")


def list_confusion(measure: Report) -> list[Row]:
    """Return the confusion matrix: a row for each label, good and bad, with counts of accepted and rejected results."""
    return [
        ("labelled good", measure["true_accepts"], measure["false_rejects"]),
        ("labelled bad", measure["false_accepts"], measure["true_rejects"]),
    ]


def list_criteria(policy: Report) -> list[Row]:
    """Return the rows of a table with a row for each criterion, whose columns are those of CRITERIA_HEADER."""
    return [
        (
            one["criterion"],
            one["labelled"],
            one["false_accepts"],
            one["false_rejects"],
            one["unsure"],
            format_number(None if one["agreement"]["share"] is None else 100 * one["agreement"]["share"], 1),
            format_number(one["kappa"], 2),
        )
        for one in policy["criteria"]
    ]


def describe_comparison(comparison: Report) -> str:
    """Return the result of McNemar's test of two policies, as a sentence."""
    first, second = comparison["first"], comparison["second"]
    only_first, only_second = comparison["only_first_right"], comparison["only_second_right"]
    p = comparison["p"]
    verdict = "chance explains that badly" if p < P_MAX else "which may be chance"
    return (
        f"{first} alone is right in {only_first} cases, {second} alone in {only_second}: p = {p:.3g} by McNemar's "
        f"exact test, {verdict}; both are right in {comparison['both_right']}, both wrong in {comparison['both_wrong']}"
    )


def describe_gains(first: Report, second: Report) -> str | None:
    """Return a sentence about the criteria on which policy `second` errs less than `first`; None if there are none."""
    before = {one["criterion"]: _count_errors(one) for one in first["criteria"]}
    gains = [
        f"{json_text(one['criterion'])} ({_count_errors(one)} of {one['labelled']} instead of {before[name]})"
        for one in second["criteria"]
        if _count_errors(one) < before.get(name := one["criterion"], 0)
    ]
    return f"{second['policy']} errs less on {'; '.join(gains)}" if gains else None


def _count_errors(criterion: Report) -> int:
    return int(criterion["false_accepts"] + criterion["false_rejects"])


def describe_confirming(confirm: Report) -> str:
    """Return a sentence about how many bad and good results that had passed confirming stopped, and at what cost."""
    cost = "at an unknown price" if confirm["cost_usd"] is None else f"for ${Decimal(confirm['cost_usd']):.4f}"
    return (
        f"confirming stopped {confirm['bad_stopped']} of {confirm['bad']} bad results that had passed, and "
        f"{confirm['good_stopped']} of {confirm['good']} good ones, by {confirm['asks']} asks {cost}"
    )


def describe_quorum(quorum: Report) -> str:
    """Return a sentence that says how many independent votes a quorum is worth."""
    return QuorumWorth.model_validate(quorum).sentence


def describe_left_out(report: Report) -> list[str]:
    """Return a line for each thing that the report leaves out, with the reason."""
    lines = [f"line {one['line']} was skipped: {one['reason']}" for one in report["skipped"]]
    for one in report["policies"]:
        if one["criteria_not_listed"]:
            lines.append(f"{one['policy']}: {one['criteria_not_listed']} further criteria are not listed")
        if one["labels_not_told_apart"]:
            lines.append(
                f"{one['policy']}: {one['labels_not_told_apart']} labels are of criteria too many to tell apart"
            )
    shown, total = len(report["disagreements"]["items"]), report["disagreements"]["total"]
    return [*lines, *([f"{total - shown} further disagreements are not listed"] if total > shown else [])]


_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c1917;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem}
table{border-collapse:collapse;margin:.5rem 0}
th,td{border:1px solid #d6d3d1;padding:.25rem .6rem;text-align:left;vertical-align:top}
thead th{background:#f5f5f4}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f5f5f4;padding:.6rem}
details{border:1px solid #d6d3d1;padding:.4rem .8rem;margin:.4rem 0}summary{cursor:pointer}
.wrong{color:#b91c1c;font-weight:600}
@media (prefers-color-scheme:dark){body{color:#e7e5e4;background:#1c1917}thead th,pre{background:#292524}
th,td,details{border-color:#57534e}.wrong{color:#f87171}}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEAD: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{_STYLE_HASH}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Judges on labelled cases</title>
<style>{_STYLE}</style>
</head>
<body>
"""
_LETTERS: Final = {"p": "pass", "f": "fail", "c": "cannot assess", "-": "not asked"}
_LABELS: Final = {True: "met", False: "not met", None: "no label"}


def write_page(report: Report) -> str:
    """Return the report as a page of HTML."""
    return "".join([_HEAD, *(f"{line}\n" for line in _list_lines(report)), "</body>\n</html>\n"])


def _list_lines(report: Report) -> Iterator[str]:
    policies = report["policies"]
    yield "<h1>Judges on labelled cases</h1>"
    yield _paragraph(
        f"{report['cases']} cases, each judged {report['repeats']} time(s) by each policy. Intervals are "
        "of 95 %: Wilson's, and by case where one has several criteria. How good a policy is, "
        "its first judgement of each case says. "
        f"SHA-256 of the cases: {report['cases_hash']}"
    )
    yield from map(_paragraph, describe_left_out(report))
    yield "<h2>In all</h2>"
    yield _table(("", *(one["policy"] for one in policies)), list_measures(policies))
    for comparison in report["comparisons"]:
        yield _paragraph(describe_comparison(comparison))
    yield from map(_paragraph, filter(None, (describe_gains(policies[0], one) for one in policies[1:])))
    for one in policies:
        yield f"<h2>{_text(one['policy'])}</h2>"
        yield _table(("", "accepted", "rejected"), list_confusion(one["overall"]))
        yield from (_paragraph(describe_quorum(quorum)) for quorum in one["quorum"])
        if one.get("confirm"):
            yield _paragraph(describe_confirming(one["confirm"]))
        if one["criteria"]:
            yield _table(CRITERIA_HEADER, list_criteria(one))
    yield f"<h2>Disagreements to read: {report['disagreements']['total']}</h2>"
    yield from map(_disagreement, report["disagreements"]["items"])


def _disagreement(item: Report) -> str:
    judged = item["judged"]
    verdicts = ", ".join(f"{policy}: {_describe(one)}" for policy, one in judged.items())
    title = f"{item['id']} {item['title'] or ''}".strip()
    rows = [
        _row("td", [_text(criterion), _LABELS[label], *(_outcome(one, place, label) for one in judged.values())])
        for place, (criterion, label) in enumerate(zip(item["criteria"], item["labels"], strict=True))
    ]
    reasons = [_paragraph(f"{policy}: {one['reason']}") for policy, one in judged.items() if one.get("reason")]
    result = item["result"]
    lines = "\n".join(map(_text, result["text"].splitlines()))
    cut = _paragraph(f"{result['chars_left_out']} further characters are not shown") if result["chars_left_out"] else ""
    header = _row("th", [_text(name) for name in ("criterion", "label", *judged)])
    return (
        f"<details><summary><b>{_text(title)}</b>: labelled {_LABELS[item['label']]}; {_text(verdicts)}</summary>"
        f"<table><thead>{header}</thead><tbody>{''.join(rows)}</tbody></table>"
        f"{''.join(reasons)}<pre>{lines}</pre>{cut}</details>"
    )


def _describe(judged: Report) -> str:
    if "error" in judged:
        return f"not judged ({judged['error']})"
    return "accepted" if judged["accepted"] else "rejected"


def _outcome(judged: Report, place: int, label: bool | None) -> str:
    if "error" in judged:
        return "not judged"
    letter, evidence = judged["outcomes"][place], judged.get("evidence")
    words = _text(_LETTERS.get(letter, letter))
    quoted = "".join(f"<br>\u201c{_text(quote)}\u201d" for quote in (evidence[place] if evidence else ()))
    is_wrong = label is not None and (letter == "p") is not label
    return (f'<span class="wrong">{words}</span>' if is_wrong else words) + quoted


def _table(header: Sequence[object], rows: Iterable[Row]) -> str:
    body = "".join(_row("td", [_text(cell) for cell in row]) for row in rows)
    return f"<table><thead>{_row('th', [_text(cell) for cell in header])}</thead><tbody>{body}</tbody></table>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _paragraph(text: str) -> str:
    return f"<p>{_text(text)}</p>"


def _text(value: object) -> str:
    """Return a value as HTML text, with markup escaped and control characters, such as for text direction, replaced."""
    return escape(replace_controls(value))
