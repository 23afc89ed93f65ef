"""What any result would meet, or none, is no check; and what most results meet is one."""

import pytest

from contracts.checks import find_fault
from contracts.checks.base import Finding
from contracts.checks.languages import Expression
from contracts.criteria import CriteriaError, parse_criteria
from contracts.judging.policy import LoopStep


@pytest.mark.parametrize(
    "text",
    [
        "matches /.*/",
        "matches /(?s).*/",
        "matches /a?/i",
        "matches /^/",
        "matches /$/",
        r"matches /^\s*/",
        r"matches /\s*$/",
        "matches /^(# .*)?/m",
        "matches /^$|a*/",
        "matches /(a{100}){10}|/",
        "json_path $ exists",
        "in csv json_path $ exists",
        'in json json_schema {"title": "x"}',
        "json_path $ count > 0",
        "json_path $ count 1",
        "json_path $ matches /.*/",
        'json_schema {"description": "x"}',
        'json_schema {"$defs": {}}',
        'json_schema {"$defs": {"a": {"type": "string"}}, "title": "t", "x-a": {"type": "object"}}',
        'json_schema {"if": {"type": "object"}}',
        'json_schema {"then": {"type": "object"}}',
        'json_schema {"else": {"type": "object"}}',
        'json_schema {"if": {"type": "object"}, "then": {}}',
        'json_schema {"properties": {"a": true, "b": {"title": "x"}}}',
        'json_schema {"items": {}, "required": [], "minLength": 0}',
        'json_schema {"minItems": 0, "minProperties": 0, "uniqueItems": false, "dependentRequired": {}}',
        'json_schema {"items": {"title": "x"}}',
        'json_schema {"allOf": [{}, {"examples": [1]}]}',
        'json_schema {"anyOf": [{}, {"type": "string"}]}',
        'json_schema {"type": ["object", "array", "string", "number", "boolean", "null"]}',
        "cel result == result",
        "cel true || result == 1",
        "cel !(result != result)",
        "cel type(result) == type(result)",
    ],
)
def test_what_any_result_meets_is_refused(text: str) -> None:
    fault = find_fault(text)
    assert fault is not None
    assert (fault.code, fault.at) == ("check_invalid", text.index(" ") + 1)
    with pytest.raises(CriteriaError, match=r"any result meets this|there is always one"):
        parse_criteria(f"It rhymes\ncheck: {text}")


@pytest.mark.parametrize("text", ["json_path $ absent", "json_path $ count 0", "json_path $ count > 1"])
def test_so_is_what_none_meets(text: str) -> None:
    assert "there is always one" in str(find_fault(text))


@pytest.mark.parametrize(
    "text",
    [
        "max_words 10000",
        "min_words 1",
        'not_contains "TODO"',
        "not_matches /.*/",
        "matches /./",
        r"matches /^\w*$/",
        r"matches /^[^\n]*$/",
        "matches /^(?s:.{0,200})$/",
        "matches /^$/",
        r"matches /\b/",
        r"matches /|\Qa/",  # any result meets it, which does not show
        "json_path $.error absent",
        "json_path $.items[*] count <= 5",
        "json_path $.a matches /.*/",
        "json_path $..* exists",
        "json_path $ equals 5",
        "json_path $ max_words 5",
        'json_schema {"maxLength": 500}',
        'json_schema {"not": {"required": ["error"]}}',
        'json_schema {"properties": {"a": {"type": "string"}}}',
        'json_schema {"properties": {"error": false}}',
        'json_schema {"anyOf": [{"maxLength": 5}, {"type": "object"}]}',
        'json_schema {"allOf": [{}, {"type": "object"}]}',
        'json_schema {"oneOf": [{}, {}]}',
        'json_schema {"not": {}}',
        'json_schema {"dependentRequired": {"a": ["b"]}}',
        'json_schema {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}}',
        'json_schema {"if": {"type": "object"}, "then": {"required": ["a"]}}',
        'json_schema {"type": ["object", "array"]}',
        'json_schema {"minItems": 1}',
        'json_schema {"contains": {}}',
        'cel result != "N/A"',
        "cel result != 'N/A' && result != 5",
        "cel result != null",
        "cel result != 5",
        "cel result != -1.5",
        "cel !(result in ['a', 'b'])",
        "cel type(result) != string",
        "cel size(result) >= 0",
        "cel result == result || submission == 1",
        "cel result == payload",
        "cel result.all(a, a == a)",
        "cel type(result) != string || result.matches('.*')",
        "cel type(result) != string || size(result) > 0",
        "cel type(result) != bool || result",
        "cel type(result) != bool || !result",
        "cel type(result) != int || result != 0",
        "cel type(result) != double || result >= 0.0",
        "cel type(result) != list || !('a' in result)",
        "cel type(result) != list || !(1 in result)",
        "cel type(result) != map || !('a' in result)",
        "cel type(result) != map || !('a' in result) || !('b' in result.a)",
        f"cel result == result || {'!' * 200}false",
    ],
)
def test_what_most_results_meet_is_a_check(text: str) -> None:
    assert find_fault(text) is None


def test_an_expression_that_cannot_be_probed_is_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: object) -> Finding:
        raise ValueError("the library panicked")

    monkeypatch.setattr(Expression, "find", find)
    assert find_fault("cel result == result && result == result") is None


def test_a_policy_that_was_stored_with_one_is_read() -> None:
    assert LoopStep(check="json_path $ exists").check == "json_path $ exists"
