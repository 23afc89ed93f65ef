"""What each check finds in a result, and where."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.checks import Finding, Subject, read_check
from contracts.checks.base import count_of, panics_as_errors, show
from contracts.checks.paths import is_equal
from contracts.checks.texts import count_words
from signoff.status import Outcome

RESULT = {
    "title": "The sea",
    "items": [{"price": 5, "name": "a"}, {"price": 7.5}],
    "is_ok": True,
    "none": None,
    "a/b~c": {"link": "https://example.com/x"},
}
LABEL = "a" * 63
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=5), values, max_size=4),
    max_leaves=20,
)


def find(text: str, result: Any = None, *, is_repeated: bool | None = None, **known: Any) -> Finding:
    return read_check(text).find(Subject(RESULT if result is None else result, known, is_repeated))


@pytest.mark.parametrize(
    ("text", "result", "is_met", "evidence", "comment"),
    [
        ("max_words 3", "one two three", True, "3 words", "at most 3 are allowed"),
        ("max_words 2", "one two three", False, "3 words", "it has 3 words; at most 2 are allowed"),
        ("min_words 4", "one two three", False, "3 words", "at least 4 are needed"),
        ("min_words 3", "one two three", True, "3 words", ""),
        ("max_words 1", "XXL", True, "1 word", ""),
        ("max_words 2", "- **one** | two", True, "2 words", ""),
        ("max_words 3", "\u4f60\u597d\u4e16\u754c", False, "4 words", ""),
        ("max_words 1", "one\u200btwo", False, "2 words", ""),
        ("max_words 3", {"a b c d": ["one", {"x": "two", "y": 3}], "z": None}, True, "3 words", ""),
        ("min_chars 5", "four", False, "4 characters", "at least 5"),
        ("max_chars 3", "\U0001f600" * 3, True, "3 characters", ""),
        ('contains "sea"', "by the sea side", True, "sea", "found in the result at characters 7 to 10"),
        ('contains "sea"', "sea by the sea", True, "sea", "at characters 0 to 3"),
        ('contains "sea"', "By the Sea", False, "not found", '"sea" stands nowhere'),
        ('contains "\u00c4rger"', "sea", False, "not found", '"\u00c4rger" stands nowhere'),
        ('contains "sea"', {"sea": 1}, False, "not found", ""),
        ('contains "a\\"b"', 'a"b', True, 'a"b', ""),
        ('contains "7.5"', RESULT, True, "7.5", "`/items/1/price`"),
        ('not_contains "TODO"', "all done", True, "not found", ""),
        ('not_contains "TODO"', {"x": ["y", "a TODO b"]}, False, "TODO", "`/x/1` at characters 2 to 6"),
        ('not_contains "TODO"', {"TODO": 1}, False, "TODO", "a name at `/TODO`"),
        ("matches /^# \\w+/m", "text\n# Title\n", True, "# Title", "characters 5 to 12"),
        ("matches /^SEA$/i", "sea", True, "sea", ""),
        ("matches /sea/", {"x": "by the sea"}, True, "sea", "`/x`"),
        ("matches /a.b/", "a\nb", False, "not found", ""),
        ("matches /a.b/s", "a\nb", True, "a b", ""),
        ("matches /(a+)+$/", "a" * 5000 + "b", False, "not found", ""),
        ("not_matches /pass(word)?/i", {"a": {"PASS": "x"}}, False, "PASS", "a name at `/a/PASS`"),
        ("matches /\u00e4+/", "x\u00e4\u00e4y", True, "\u00e4\u00e4", "characters 1 to 3"),
        ("url", "https://example.com/a?b#c", True, "https://example.com/a?b#c", ""),
        ("url", "http://[::1]:8080/", True, "http://[::1]:8080/", ""),
        ("url", "https://m\u00fcller.example/", True, "https://m\u00fcller.example/", ""),
        ("url", "see https://example.com", False, "see https://example.com", "white space"),
        ("url", "javascript:alert(1)", False, "javascript:alert(1)", "http://"),
        ("url", "http:///nowhere", False, "http:///nowhere", "no host"),
        ("url", "http://-a-.example", False, "http://-a-.example", "no host"),
        ("url", "http://a:99999/", False, "http://a:99999/", "no URL"),
        ("url", "http://[::1", False, "http://[::1", "no URL"),
        ("url", "https://example.com/\u202e", False, "https://example.com/ ", "cannot be seen"),
        ("url", f"https://example.com/{'x' * 2_048}", False, "https://example.com/x", "2,048"),
        ("url", f"https://example.com/{'x' * 2_028}", True, "https://example.com/x", ""),
        ("url", f"https://{LABEL}.{LABEL}.{LABEL}.{LABEL[:61]}", True, "https://aaa", ""),
        ("url", f"https://{LABEL}.{LABEL}.{LABEL}.{LABEL[:62]}", False, "https://aaa", "no host"),
        ("url", {"a": 1}, False, "no text", "must be a text"),
        ('json_schema {"required": ["title"]}', RESULT, True, "an object with 5 members", "valid"),
        ('json_schema {"type": "array"}', RESULT, False, "an object", "the result: the value is not of type"),
        (
            'json_schema {"properties": {"items": {"items": {"required": ["name"]}}}}',
            RESULT, False, "an object", '`/items/1`: "name" is a required property',
        ),
        ('json_schema {"items": {"type": "integer"}}', ["a"] * 9, False, "an array of 9 items", "`/2`"),
        ('json_schema {"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"}', 1, False, "1", "string"),
        ('json_schema {"$ref": "#"}', 1, True, "1", ""),
        ("json_path $.title exists", RESULT, True, "a text of 7 characters", "`/title`"),
        ('json_path $["none"] exists', RESULT, True, "null", "`/none`"),
        ("json_path $[''] exists", {"a": "x", "": 1}, True, "1", "`/`"),
        ("json_path $.other exists", RESULT, False, "not found", "nothing stands at `$.other`"),
        ("json_path $.none exists", RESULT, True, "null", "`/none`"),
        ("json_path $.other absent", RESULT, True, "not found", ""),
        ("json_path $.title absent", RESULT, False, "a text", "`/title`"),
        ("json_path $.items[2] exists", RESULT, False, "not found", ""),
        ("json_path $.items[-2] exists", RESULT, True, "an object", "`/items/0`"),
        ("json_path $.items[*] count 2", RESULT, True, "2 values", "has 2 values, of 2 asked for"),
        ("json_path $.items[*] count <= 1", RESULT, False, "2 values", "of at most 1 asked for"),
        ("json_path $.items[*] count < 2", RESULT, False, "2 values", "of fewer than 2 asked for"),
        ("json_path $.items[*] count > 2", RESULT, False, "2 values", "of more than 2 asked for"),
        ("json_path $..price count == 2", RESULT, True, "2 values", ""),
        ("json_path $.* count >= 5", RESULT, True, "5 values", ""),
        ("json_path $.other count 0", RESULT, True, "0 values", ""),
        ("json_path $.items[-1].price equals 7.5", RESULT, True, "7.5", "`/items/1/price`"),
        ("json_path $.items[5].price equals 7.5", RESULT, False, "not found", ""),
        ("json_path $.items[*].price equals 5.0", RESULT, False, "7.5", "`/items/1/price` is 7.5, and must be 5.0"),
        ("json_path $.items equals 1", RESULT, False, "an array of 2 items", "is an array of 2 items, and must be 1"),
        (
            'json_path $.a equals "\u00d6l"', {"a": "\u00c4rger"}, False, '"\u00c4rger"',
            '`/a` is "\u00c4rger", and must be "\u00d6l"',
        ),
        ("json_path $.is_ok equals 1", RESULT, False, "true", ""),
        ("json_path $.none equals null", RESULT, True, "null", ""),
        ("json_path $.none equals false", RESULT, False, "null", ""),
        ('json_path $["a/b~c"].link url', RESULT, True, "https://example.com/x", "`/a~1b~0c/link`"),
        ("json_path $.title max_words 1", RESULT, False, "2 words", "at `/title`: it has 2 words"),
        ("json_path $.items[*].name max_words 1", RESULT, True, "1 word", ""),
        ("json_path $.a[*] max_words 1", {"a": ["one", "one two"]}, False, "2 words", "at `/a/1`: it has 2 words"),
        ("json_path $.items[*].nothing max_words 1", RESULT, False, "not found", ""),
        ("json_path $ exists", "text", True, "a text of 4 characters", "the result"),
        ("json_path $.title exists", "text", False, "not found", ""),
        ("cel size(result.items) == 2", RESULT, True, "true", ""),
        ("cel result.items.all(i, i.price > 5)", RESULT, False, "false", "the value of the expression is false"),
        ("cel result.other > 1", RESULT, False, "no value", "'other' is missing"),
        ("cel result.title > 1", RESULT, False, "no value", "has no value: No such overload: the operation"),
        ("cel result.none", RESULT, False, "null", "is null"),
        ("cel result.is_ok ? b'a' : b'b'", RESULT, False, "b'a'", ""),
        ("cel result.title", RESULT, False, "a text of 7 characters", ""),
        ("cel 1 / size(result.none) == 1 || result.x", RESULT, False, "no value", ""),
        ("cel result.title.matches('^The')", RESULT, True, "true", ""),
        ("cel result.title.matches('(')", RESULT, False, "no value", "not a valid regex"),
    ],
)  # fmt: skip
def test_what_is_found(text: str, result: Any, is_met: bool, evidence: str, comment: str) -> None:
    finding = find(text, result)
    assert finding.outcome is (Outcome.PASS if is_met else Outcome.FAIL), finding
    assert evidence in (finding.evidence or "")
    assert comment in finding.comment


def test_the_last_submission_is_compared_where_it_is_known() -> None:
    same = "it is the same as that of the submission before"
    assert find("differs", is_repeated=False) == Finding(Outcome.PASS, "another result", "it is a new result")
    assert find("differs", is_repeated=True) == Finding(Outcome.FAIL, "the same result", same)
    assert find("differs").outcome is Outcome.CANNOT_ASSESS


def test_an_expression_looks_at_payload_and_submission_where_they_are_known() -> None:
    text = "cel result.title == payload.title && submission < 3"
    assert find(text, payload=RESULT, submission=2).outcome is Outcome.PASS
    assert find(text, payload=RESULT, submission=3).outcome is Outcome.FAIL
    assert find(text, payload=RESULT) == Finding(Outcome.CANNOT_ASSESS, None, "the submission is not known here")


@pytest.mark.parametrize("value", ["x" * 10_000, {"k" * 10_000: "v" * 10_000}, "\x1b[2J\u202e" * 1_000, "\ud800" * 10])
@pytest.mark.parametrize(
    "text",
    [
        'json_path $.* equals "a"',
        "matches /.+/s",
        'json_schema {"type": "array"}',
        'not_contains "k"',
        "url",
        "cel result == 'a'",
    ],
)
def test_what_is_told_of_a_result_is_bounded_and_steers_no_terminal(text: str, value: Any) -> None:
    try:
        finding = find(text, value)
    except ValueError:  # a lone surrogate, which no record brings
        assert "\ud800" in str(value)
        return
    assert len(finding.evidence or "") <= 200
    assert len(finding.comment) <= 500
    assert not {"\x1b", "\u202e", "\ud800"} & set((finding.evidence or "") + finding.comment)


def test_what_is_shown_is_cut_by_an_ellipsis() -> None:
    assert show("x" * 200, 200) == "x" * 200
    assert show("x" * 201, 200) == "x" * 199 + "\u2026"
    long = find("matches /.+/", "x" * 1_000).evidence
    assert (long, len(long or "")) == ("x" * 199 + "\u2026", 200)
    assert len(find(f'not_contains "{"y" * 600}"', "x").comment) == 500


def test_one_is_told_in_the_singular() -> None:
    assert [count_of(number, "word") for number in (0, 1, 1_200)] == ["0 words", "1 word", "1,200 words"]


def test_three_faults_by_a_schema_are_told() -> None:
    assert find('json_schema {"items": {"type": "integer"}}', ["a"] * 9).comment.count("the value is not") == 3


def test_a_path_that_leads_to_too_many_values_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.checks.paths.VALUES_MAX", 3)
    assert find("json_path $[*] count 3", [1, 2, 3]).outcome is Outcome.PASS
    with pytest.raises(ValueError, match=r"`\$\[\*\]` leads to more than 3 values"):
        find("json_path $[*] count 4", [1, 2, 3, 4])


def test_a_library_that_panics_has_failed_as_others_do() -> None:
    class PanicException(BaseException):
        pass

    with pytest.raises(ValueError, match="it panicked"), panics_as_errors():
        raise PanicException("it panicked")
    with pytest.raises(KeyboardInterrupt), panics_as_errors():
        raise KeyboardInterrupt


@given(
    JSON, st.sampled_from(["max_words 3", 'contains "a"', "json_path $..* count >= 2", "url", "matches /a/", "differs"])
)
def test_each_outcome_says_what_was_found(result: Any, text: str) -> None:
    finding = read_check(text).find(Subject(result, {}, is_repeated=False))
    assert finding.evidence
    assert finding.comment


@given(st.text(max_size=30))
def test_what_must_be_there_and_what_must_not_never_both_hold(text: str) -> None:
    assert find('contains "a"', text).outcome is not find('not_contains "a"', text).outcome
    assert find("matches /a/", text).outcome is not find("not_matches /a/", text).outcome


@given(st.lists(st.text("abc\u00e91", min_size=1), max_size=10), st.sampled_from([" ", "\n", "\t ", "\u3000", " - "]))
def test_words_are_counted_whatever_parts_them(words: list[str], between: str) -> None:
    assert count_words(between.join(words)) == len(words)


@given(JSON, JSON)
def test_equality_is_that_of_json(one: Any, other: Any) -> None:
    assert is_equal(one, one)
    assert is_equal(one, other) == is_equal(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), ([1], [True]), ({"a": 0}, {"a": False}), (None, 0), (None, False), (["a"], "a")],
)
def test_numbers_are_no_truth_values(one: Any, other: Any) -> None:
    assert not is_equal(one, other)
    assert is_equal(1, 1.0)
