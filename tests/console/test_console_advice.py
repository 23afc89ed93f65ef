"""The page's advice: every code that a job's log can hold has words, and none has words that is never recorded."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SERVICES = Path(__file__).parents[2] / "services"
ADVICE = SERVICES / "console/web/src/jobs/detail/errors"
FOLDERS = ("executor/executor", "validator/validator", "jobstore/jobstore")
#: Where codes stand that no report has.
OTHERS = {"api", "insights", "publishing", "recovery", "schema"}
SOURCES = (
    SERVICES.parent / "proto/contracts/criteria.py",
    *(path for folder in FOLDERS for path in (SERVICES / folder).rglob("*.py") if path.parent.name not in OTHERS),
)
#: What makes or changes a report; and the failures that are reported.
MAKERS = re.compile(r"Report|replace|Refusal|(Agent\w*|JudgeAnswer|Judgment|BudgetExhausted|Criteria|Executor)Error")
#: Answers to whoever asks, and why a judgement waits; none of them is recorded.
UNRECORDED = {"illegal_transition", "execution_live", "lease_runs", "deadline_ahead", "repeat", "fenced", "begun"}
UNRECORDED |= {"unknown_execution", "job_conflict", "concluded", "judge_quota_exceeded", "judge_unavailable"}
UNRECORDED |= {
    "too_many_cancels",
    "criteria_conflict",
    "moved_on",
    "nothing_to_judge",
    "settings_unknown",
    "unknown_job",
    "reference_unknown",
    "reference_empty",
    "reference_too_long",
}
#: Why a job is not removed, or that it is: its removal is refused, and its log has no entry of that.
UNRECORDED |= {"job_held", "job_labelled", "job_removed", "no_archive", "not_archived", "operation_live"}
#: As constants of the jobstore, or as kinds of reports.
NAMED = {"result_reused", "verdict_reused", "matched", "handed_on", "rejudged"}
#: Of outcomes that cannot be recorded: what `decode` says of a record, or the database of a value.
NAMED |= {"malformed_json", "schema_mismatch", "unstorable"}
NAMED |= {"verdict_mismatch", "validator_error", "database_error", "verdict_unproven"}
#: By the state of a task of A2A.
NAMED |= {"agent_auth_required"}
#: By the kind of what is not known.
NAMED |= {"unknown_judge_policy", "unknown_criteria_set"}
#: As CheckError says them, of a job whose criteria an older version stored.
NAMED |= {"check_invalid", "check_unknown"}


def test_the_page_has_words_for_every_code_and_for_no_other() -> None:
    tables = "".join(path.read_text() for path in ADVICE.glob("*advice.ts"))
    told = set(re.findall(r"^  ([a-z_]+): \{", tables, re.MULTILINE))
    recorded = {code for path in SOURCES for code in codes_in(path)}
    assert told == recorded - UNRECORDED | NAMED


def codes_in(path: Path) -> Iterator[str]:
    """What is written where a code stands: an argument, an assignment, or what is returned for one."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id=maker) | ast.Attribute(attr=maker)) if MAKERS.fullmatch(maker):
                yield from (code for each in node.keywords if each.arg == "code" for code in literals(each.value))
                yield from literals(node.args[0]) if maker == "Refusal" else ()
            case ast.ClassDef(name=name, keywords=keywords) if MAKERS.fullmatch(name):
                yield from (code for each in keywords if each.arg == "code" for code in literals(each.value))
                yield from (code for line in node.body for code in assigned(line))
            case ast.FunctionDef():
                yield from (code for line in ast.walk(node) for code in assigned(line))
            case ast.Return(value=ast.Tuple(elts=[code, _])) if path.name == "transitions.py":
                yield from literals(code)


def assigned(line: ast.AST) -> Iterator[str]:
    match line:
        case (
            ast.Assign(targets=[ast.Name(id="code")], value=value)
            | ast.AnnAssign(target=ast.Name(id="code"), value=ast.expr() as value)
        ):
            yield from literals(value)
        case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id="code"), _])], value=ast.Tuple(elts=[value, _])):
            yield from literals(value)


def literals(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        match node:
            case ast.Attribute(value=ast.Name(id="ErrorCode"), attr=name):
                yield name.lower()
