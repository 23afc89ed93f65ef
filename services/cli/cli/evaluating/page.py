"""Write a report as one page of HTML that needs nothing else: no script, no network, each word escaped."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from cli.evaluating.tables import (
    CRITERIA_HEADER,
    Report,
    Row,
    describe_comparison,
    describe_confirming,
    describe_gains,
    describe_left_out,
    describe_quorum,
    list_confusion,
    list_criteria,
    list_measures,
)
from cli.terminal import replace_controls

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
    """Return the page."""
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
    said = ", ".join(f"{policy}: {_describe(one)}" for policy, one in judged.items())
    title = f"{item['id']} {item['title'] or ''}".strip()
    rows = [
        _row(
            "td",
            [_text(criterion), _LABELS[label], *(_outcome(one, place, label) for one in judged.values())],
        )
        for place, (criterion, label) in enumerate(zip(item["criteria"], item["labels"], strict=True))
    ]
    reasons = [_paragraph(f"{policy}: {one['reason']}") for policy, one in judged.items() if one.get("reason")]
    result = item["result"]
    cut = _paragraph(f"{result['chars_left_out']} further characters are not shown") if result["chars_left_out"] else ""
    header = _row("th", [_text(name) for name in ("criterion", "label", *judged)])
    return (
        f"<details><summary><b>{_text(title)}</b>: labelled {_LABELS[item['label']]}; {_text(said)}</summary>"
        f"<table><thead>{header}</thead><tbody>{''.join(rows)}</tbody></table>"
        f"{''.join(reasons)}<pre>{_lines(result['text'])}</pre>{cut}</details>"
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
    """Return a text in which nothing is markup, and no character changes the direction of what follows."""
    return escape(replace_controls(value))


def _lines(text: str) -> str:
    return "\n".join(map(_text, text.splitlines()))
