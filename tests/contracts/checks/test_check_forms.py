"""The text of a check: each form is read or refused, with the place of what is wrong, quickly whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.checks import CHECK_MAX_CHARS, CheckError, Subject, find_fault, needs_context, read_check
from contracts.criteria import (
    CHECKS_MAX_CHARS,
    CRITERIA_MAX,
    CriteriaError,
    Criterion,
    format_criteria,
    parse_criteria,
    parse_stored_criteria,
)
from contracts.judging.policy import LoopStep
from signoff.status import Outcome

FORMS = [
    "max_words 200",
    "min_words 1",
    "max_chars 4000",
    "min_chars 20",
    'contains "sea"',
    'contains "a \\"quoted\\" word\\nand a line"',
    'not_contains "TODO"',
    "matches /^[A-Z].*$/ms",
    "matches /a/b/",
    "not_matches /password/i",
    "url",
    "differs",
    'json_schema {"type": "object", "required": ["title"]}',
    "json_path $.title exists",
    "json_path $.error absent",
    "json_path $.items[*] count >= 3",
    "json_path $.items count 0",
    "json_path $['a b'][0][-1]..name.* equals {\"a\": [1, null]}",
    "json_path $.summary max_words 50",
    "json_path $.link url",
    "cel size(result.items) > 2 && result.items.all(item, item.price > payload.least)",
    "max_words 100000000",
    f"matches /{'a' * 1000}/",
    "matches /(a{100}){10}/",
    "valid json",
    "valid markdown_table",
    "json_path $.code valid python",
    "in csv json_path $[*].price exists",
    'in markdown_table json_schema {"minItems": 3}',
    "in  jsonl  cel size(result) > payload.least",
    f"json_path ${'.a' * 20} exists",
    "json_path $.a count < 1",
    'json_schema {"properties": {"a": {"type": "string"}, "b": true}, "x-note": "any"}',
    'json_schema {"const": {"a": {"b": 1}}}',
    'json_schema {"pattern": "^[a-z]+$"}',
    f"cel result.a == '{'x' * 1986}'",
    *(
        f'json_schema {begin * 99}{{"const":1}}{end * 99}'
        for begin, end in (('{"not":', "}"), ('{"properties":{"a":', "}}"))
    ),
    *(
        f"cel type(result.a) == {kind}"
        for kind in ("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint")
    ),
]


@pytest.mark.parametrize("text", FORMS)
def test_each_form_is_a_criterion_with_one_text_form(text: str) -> None:
    criteria = parse_criteria(f"- optional: CHECK: {text}\ncheck:{text}")
    assert criteria == [Criterion(text=text, required=False, kind="check"), Criterion(text=text, kind="check")]
    text_form = format_criteria(criteria)
    assert text_form == f"optional: check: {text}\ncheck: {text}"
    assert parse_criteria(text_form) == parse_stored_criteria(text_form) == criteria


@pytest.mark.parametrize(
    ("text", "code", "at", "words"),
    [
        ("max_wrods 200", "check_unknown", 0, "did you mean `max_words`?"),
        ("It rhymes", "check_unknown", 0, "there are max_words"),
        ("x" * 60, "check_unknown", 0, f"there is no check `{'x' * 50}`"),
        ("max_words", "check_invalid", 9, "`max_words 200`"),
        ("max_words 0", "check_invalid", 10, "from 1"),
        ("max_words -1", "check_invalid", 10, "from 1"),
        ("max_words 1e9", "check_invalid", 10, "from 1"),
        ("max_words \u0663", "check_invalid", 10, "from 1"),
        ("max_words 100000001", "check_invalid", 10, "from 1"),
        ("max_words 9999999999999999999", "check_invalid", 10, "from 1"),
        ("contains sea", "check_invalid", 9, "double quotation marks"),
        ('contains ""', "check_invalid", 9, "not empty"),
        ('contains "sea" or "lake"', "check_invalid", 15, "one text"),
        (f"contains {'9' * 4301}", "check_invalid", 9, "double quotation marks"),
        ("contains 5", "check_invalid", 9, "one text"),
        ("matches sea", "check_invalid", 8, "between slashes"),
        ("matches //", "check_invalid", 8, "between slashes"),
        ("matches /(a/", "check_invalid", 9, "this is no pattern of RE2: missing )"),
        ("matches /a/x", "check_invalid", 8, "flags"),
        (r"matches /(a)\1/", "check_invalid", 9, "invalid escape"),
        ("matches /(?=a)b/", "check_invalid", 9, "invalid perl operator"),
        (f"matches /{'a' * 1001}/", "check_invalid", 8, "1000 characters"),
        ("matches /((a{100}){100}){100}/", "check_invalid", 9, "repetition"),
        ("matches /(\\pL{10}){5}/", "check_invalid", 9, "too large"),
        ("url http://a", "check_invalid", 4, "nothing stands after"),
        ("differs much", "check_invalid", 8, "nothing stands after"),
        ('json_schema {"type": "object"', "check_invalid", 29, "no JSON"),
        ("json_schema {}", "check_invalid", 12, "asks for something"),
        ("json_schema true", "check_invalid", 12, "asks for something"),
        ('json_schema {"const": NaN}', "check_invalid", 12, "NaN"),
        ('json_schema {"type": "objekt"}', "check_invalid", 12, "/type"),
        ('json_schema {"requird": ["a"]}', "check_invalid", 12, "did you mean `required`?"),
        ('json_schema {"not": {"konst": 1}}', "check_invalid", 12, "`/not/konst`"),
        *(
            (f"json_schema {begin * 100}{{}}{end * 100}", "check_invalid", 12, "more than 100 levels")
            for begin, end in (('{"not":', "}"), ('{"properties":{"a":', "}}"))
        ),
        ('json_schema {"pattern": "(a{100}){60}"}', "check_invalid", 12, "regex"),
        ('json_schema {"properties": {"a": {"itmes": {}}}}', "check_invalid", 12, "`/properties/a/itmes`"),
        ('json_schema {"anyOf": [{"const": 1}, {"konst": 1}]}', "check_invalid", 12, "`/anyOf/konst`"),
        ('json_schema {"pattern": "(?=a)b"}', "check_invalid", 12, "regex"),
        ('json_schema {"format": "made-up"}', "check_invalid", 12, "made-up"),
        (
            'json_schema {"$ref": "https://example.com/schema"}',
            "check_invalid",
            12,
            "can be used: cannot fetch https://example.com/schema, as nothing is: `$ref` leads into the schema itself",
        ),
        ('json_schema {"$ref": "file:///etc/passwd"}', "check_invalid", 12, "cannot fetch"),
        ('json_schema {"$id": "http://a/b", "$ref": "c"}', "check_invalid", 12, "cannot fetch"),
        ('json_schema {"$schema": "https://example.com/schema"}', "check_invalid", 12, "meta-schema"),
        ('json_schema {"$ref": "#/$defs/none"}', "check_invalid", 12, "none"),
        ("json_path title exists", "check_invalid", 10, "begins with `$`"),
        ('json_path $["a\\x"] exists', "check_invalid", 12, "no JSON string"),
        ("json_path $.a", "check_invalid", 13, "`$.a`: `json_path $.items[*] count >= 3`, or"),
        ("json_path $.a[?(@.b)] exists", "check_invalid", 13, "step"),
        ("json_path $.a[1:2] exists", "check_invalid", 13, "step"),
        (f"json_path ${'.a' * 21} exists", "check_invalid", 10, "20 steps"),
        ("json_path $.a count", "check_invalid", 14, "a number"),
        ("json_path $.a count >= 0", "check_invalid", 14, "any result"),
        ("json_path $.a count < 0", "check_invalid", 14, "any result"),
        ("json_path $.a equals sea", "check_invalid", 14, "JSON value"),
        ("json_path $.a equals NaN", "check_invalid", 14, "JSON value"),
        ("json_path $.a differs", "check_unknown", 14, "there is no check"),
        ("json_path $.a max_words", "check_invalid", 23, "`max_words 200`"),
        ("valid yaml", "check_invalid", 6, "takes one of json, jsonl, csv, python, markdown_table"),
        ("valid", "check_invalid", 5, "`valid json`"),
        ("in", "check_invalid", 2, "takes one of json, jsonl, csv, markdown_table"),
        ("in python cel result", "check_invalid", 3, "takes one of json, jsonl, csv, markdown_table"),
        ("in csv", "check_invalid", 6, "what is checked of the csv"),
        ('in csv contains "x"', "check_unknown", 7, "there is no check `contains`"),
        ("in csv in csv cel result", "check_unknown", 7, "there is no check `in`"),
        ("in csv json_path $.a", "check_invalid", 20, "`$.a`"),
        ("cel", "check_invalid", 3, "takes an expression"),
        ("cel size(result) >", "check_invalid", 18, "this is no expression: Syntax error"),
        ("cel result ? @", "check_invalid", 4, "this is no expression: Incomplete"),
        ("cel true", "check_invalid", 4, "does not look at `result`"),
        ("cel submission > 1", "check_invalid", 4, "does not look at `result`"),
        ("cel result.a > limit", "check_invalid", 15, "no variable `limit`"),
        ("cel result.a > .limit", "check_invalid", 15, "no variable `.limit`"),
        ("cel result.a > . limit", "check_invalid", 4, "no variable `.limit`"),
        ("cel result.lower() == 'a'", "check_invalid", 11, "no function `lower`"),
        (f"cel result.a == '{'x' * 2000}'", "check_invalid", 4, "2000 characters"),
    ],
)
def test_what_is_no_check_is_refused_with_its_place(text: str, code: str, at: int, words: str) -> None:
    fault = find_fault(text)
    assert fault is not None
    assert (fault.code, fault.at) == (code, at)
    assert words in str(fault)
    with pytest.raises(CriteriaError) as error:
        parse_criteria(f"It rhymes\noptional: check: {text}")
    assert error.value.code == code
    assert str(error.value).startswith(f"criterion 2, at character {at + 1} of its check: ")


@pytest.mark.parametrize(("text", "at"), [("matches /\ud800/", 9), ("cel result == '\ud800'", 4)])
def test_no_check_is_of_half_a_character(text: str, at: int) -> None:
    fault = find_fault(text)
    assert fault is not None
    assert (fault.at, "surrogates not allowed" in str(fault)) == (at, True)


def test_no_keyword_is_named_that_is_unlike_what_was_written() -> None:
    with pytest.raises(CheckError, match=r"unknown keyword at `/qqqqqqqqqq`$"):
        read_check('json_schema {"qqqqqqqqqq": 1}')


def test_a_wrong_pattern_says_so_to_nobody_else(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckError):
        read_check("matches /(a/")
    assert capfd.readouterr() == ("", "")


def test_a_job_may_have_checks_alone_if_one_is_required() -> None:
    assert len(parse_criteria("check: url\noptional: check: max_chars 200")) == 2
    with pytest.raises(CriteriaError, match="optional"):
        parse_criteria("optional: check: url")


def test_a_check_may_be_longer_than_words_for_people_and_all_together_are_bounded() -> None:
    long = f'contains "{"x" * 9_989}"'
    assert format_criteria([Criterion(text=long, kind="check")] * (CHECKS_MAX_CHARS // CHECK_MAX_CHARS))
    for criteria in (
        [Criterion(text=f"{long} ", kind="check")],
        [Criterion(text=long, kind="check")] * (CHECKS_MAX_CHARS // CHECK_MAX_CHARS + 1),
    ):
        with pytest.raises(CriteriaError) as error:
            format_criteria(criteria)
        assert error.value.code in {"criterion_too_long", "criterion_ambiguous"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max_words 3", False),
        ("differs", True),
        ("cel result == 1", False),
        ("cel result == payload", True),
        ("cel result.all(payload, payload > 1)", False),
        ("cel submission < 3 || result == 1", True),
        ("json_path $.a url", False),
        ("in json cel result.a == payload.a", True),
        ("in csv cel size(result) > 1", False),
        ("valid csv", False),
        ("no check at all", True),
    ],
)
def test_what_looks_at_more_than_the_result_says_so(text: str, expected: bool) -> None:
    assert needs_context(text) is expected


@pytest.mark.parametrize("text", FORMS)
def test_of_all_forms_only_those_that_compare_look_at_more(text: str) -> None:
    assert read_check(text).needs_context is (text == "differs" or "payload" in text)


@pytest.mark.parametrize(
    "text",
    [
        "cel " + "(" * 1_900 + "result",
        "cel " + "!" * 1_900 + "result",
        "cel result" + "+1" * 900,
        "cel result" + "[0]" * 600,
        "cel " + "result?" * 280 + "1",
        "cel " + "[" * 1_900 + "result",
        "cel " + "result.all(x," * 140 + "true" + ")" * 140,
        "json_schema " + '{"not":' * 1_200 + "{}" + "}" * 1_200,
        "json_schema " + '{"not":' * 700 + "{}" + "}" * 700,
        "json_schema " + '{"items":' * 101 + "{}" + "}" * 101,
        "json_path $ equals " + "[" * 4_900 + "]" * 4_900,
        "json_path $" + "['" * 4_000 + " exists",
        "matches /" + "(" * 900 + "a" + ")" * 900 + "/",
        "json_path $ " * 800,
    ],
)
def test_a_deep_text_is_read_or_refused_and_breaks_nothing(text: str) -> None:
    find_fault(text)


PARTS = [
    *["result", "payload", "submission", ".", "(", ")", "[", "]", "{", "}", ":", ",", "?", "==", "!=", "&&", "||", "!"],
    *["-", "+", "in", "'x'", "r'\\d'", "'\\ud800'", "1u", "9223372036854775808", "1e999", ".all(x,", ".map(", "has("],
    *["type(", "Foo{", "\n", "//", "\u200b", ".?a", "@", "`", "optional.of(", "cel.bind(x,1,x)", '"a"', "$", " ", "*"],
]


@given(
    st.lists(st.sampled_from(PARTS), max_size=60),
    st.sampled_from(["cel ", "json_path $.", "json_schema ", "matches /", "contains ", ""]),
)
def test_any_text_is_a_check_or_none(parts: list[str], name: str) -> None:
    text = name + "".join(parts)
    if (fault := find_fault(text)) is not None:
        assert fault.code in {"check_invalid", "check_unknown"}
        assert 0 <= fault.at <= len(text)
        return
    finding = read_check(text).find(Subject({"a": [1, "x", None]}, {"payload": None, "submission": 1}))
    assert finding.outcome in Outcome


def test_what_a_list_of_checks_may_take_is_bounded_with_its_characters() -> None:
    many = [Criterion(text=f"matches /{'(a|b)' * 40}{at}/", kind="check") for at in range(CRITERIA_MAX)]
    assert sum(len(one.text) for one in many) > CHECKS_MAX_CHARS
    with pytest.raises(CriteriaError) as error:
        format_criteria(many)
    assert error.value.code == "criterion_too_long"
    assert format_criteria(many[: CRITERIA_MAX // 2])


def test_a_policy_names_no_check_that_cannot_be_read() -> None:
    assert LoopStep(check="differs").check == "differs"
    with pytest.raises(ValidationError, match="did you mean `max_words`"):
        LoopStep(check="max_wrods 5")
