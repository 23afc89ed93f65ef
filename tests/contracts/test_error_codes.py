"""One enumeration has every code: none stands in the source as a text, and none is listed that nothing uses."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import grpc.aio

from signoff import SignoffError
from signoff.connection import make_error
from signoff.errors import ErrorCode, find_http_status, is_retryable

ROOT = Path(__file__).parents[2]
DECLARED = ROOT / "proto/signoff/errors.py"
FOLDERS = ("proto/contracts", "proto/signoff", "services", "deploy/local/localstack")
#: Needs nothing of the others, and has codes of its own: those that an agent answers.
FOREIGN = ROOT / "services/agent"
SOURCES = [
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if path != DECLARED and not path.is_relative_to(FOREIGN)
]
#: Calls whose argument at this place is a code.
MAKERS = {
    **dict.fromkeys(("Refusal", "GoldenRefusal", "SignoffError", "ProblemError", "_reject", "_answer_queued"), 0),
    "ClaimAnswer": 1,
}
CODE = re.compile(r"[a-z][a-z0-9_]*")


def test_every_code_is_used_and_none_is_a_text_of_its_own() -> None:
    used, texts = set(), []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            texts += [f"{path.relative_to(ROOT)}: {code}" for code in texts_for_codes(node)]
            match node:
                case ast.Attribute(value=ast.Name(id="ErrorCode"), attr=name):
                    used.add(name)
    assert (used, texts) == ({code.name for code in ErrorCode}, [])


def texts_for_codes(node: ast.AST) -> Iterator[str]:
    """What stands as a text where a code does: an argument, a class's code, or what a code is compared with."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            yield from (text for each in node.keywords if each.arg == "code" for text in literals(each.value))
            if name in MAKERS and len(node.args) > MAKERS[name]:
                yield from literals(node.args[MAKERS[name]])
        case ast.Assign(targets=[ast.Name(id="code")], value=value):
            yield from literals(value)
        case ast.Compare(left=ast.Attribute(attr="code"), comparators=[value]):
            yield from (text for text in literals(value) if text in set(ErrorCode))


def literals(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)) if CODE.fullmatch(text):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from literals(one)
            yield from literals(other)
        case ast.BoolOp(values=values) | ast.Set(elts=values) | ast.Tuple(elts=values):
            for each in values:
                yield from literals(each)


def test_a_code_says_what_it_means_and_has_statuses_that_fit() -> None:
    for code in ErrorCode:
        assert code.sentence.endswith((".", ")")), code
        assert code == code.name.lower()
        answer = code.answer
        assert answer.grpc is None or (grpc.StatusCode[answer.grpc] and answer.http is not None), code
        assert answer.grpc != "UNAVAILABLE" or answer.is_retryable, code
        assert not answer.is_retryable or answer.http in {None, 408, 429, 503, 507}, code


def test_a_code_that_is_not_known_is_what_its_status_says() -> None:
    assert (is_retryable("of_tomorrow", "UNAVAILABLE"), find_http_status("of_tomorrow", "UNAVAILABLE")) == (True, 503)
    assert (is_retryable("of_tomorrow", "NOT_FOUND"), find_http_status("of_tomorrow", "NOT_FOUND")) == (False, 404)
    assert find_http_status("of_tomorrow", "FAILED_PRECONDITION") == 409
    assert (is_retryable("of_tomorrow", "DATA_LOSS"), find_http_status("of_tomorrow", "DATA_LOSS")) == (False, 502)


def _end(status: grpc.StatusCode, *codes: tuple[str, str]) -> SignoffError:
    return make_error(grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(*codes), "so it ended"))


def test_a_call_that_was_cut_off_has_another_code_than_an_execution_that_was_cancelled() -> None:
    cut_off = _end(grpc.StatusCode.CANCELLED)
    refused = _end(grpc.StatusCode.FAILED_PRECONDITION, ("signoff-code", "cancelled"))
    assert (cut_off.code, refused.code) == ("call_cancelled", "cancelled")


def test_a_call_without_a_code_has_that_of_its_status() -> None:
    assert _end(grpc.StatusCode.UNAVAILABLE).code == "unavailable"
