"""The page of contracts has each code as it is declared; SIGNOFF_WRITE_EXPECTED=1 writes the table anew."""

import os
import re
from pathlib import Path

from contracts.waiting.codes import Owner, WaitCode
from signoff.errors import ErrorCode

PAGE = Path(__file__).parents[2] / "docs/contracts.md"
TABLE = re.compile(r"\| code \|.*?(?=\n\n|\Z)", re.DOTALL)


def test_the_table_of_errors_is_the_enumeration() -> None:
    rows = ["| code | gRPC | HTTP | again | |", "|---|---|---|---|---|"]
    for code in ErrorCode:
        answer = code.answer
        again = "yes" if answer.is_retryable else ""
        rows.append(f"| `{code}` | {answer.grpc or ''} | {answer.http or ''} | {again} | {code.sentence} |")
    table, text = "\n".join(rows), PAGE.read_text()
    if "SIGNOFF_WRITE_EXPECTED" in os.environ:
        text = TABLE.sub(lambda _: table, text) if TABLE.search(text) else f"{text.rstrip()}\n\n{table}\n"
        PAGE.write_text(text)
    found = TABLE.search(text)
    assert found is not None
    assert found[0].rstrip() == table


def test_the_table_of_what_an_execution_waits_for_is_the_enumeration() -> None:
    """Codes of `explain`, of lists, of operations and of what was waited for are all of it."""
    text = (PAGE.parent / "protocol.md").read_text()
    section = text.partition("## Why an execution waits")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(row[0].strip("`") for row in rows) == sorted(WaitCode)
    assert {row[3] for row in rows} == set(Owner)
