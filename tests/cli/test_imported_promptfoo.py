"""Results and tests of promptfoo: what maps, and what is told where it does not."""

import json

import pytest

from cli.promptfoo import Fields, Imported, Skipped, import_cases
from contracts.checks import Subject, read_check
from signoff.status import Outcome


@pytest.fixture
def read(tmp_path):
    def read_text(text, name="results.json", fields=None):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text, indent=1))
        return list(import_cases(path, fields or Fields()))

    return read_text


def component(kind, value=None, *, passed=True, **more):
    return {"pass": passed, "score": int(passed), "assertion": {"type": kind, "value": value, **more}}


def result(*components, output="Bonjour !", **more):
    return {
        "id": "r-1",
        "response": {"output": output},
        "vars": {"name": "Zoë"},
        "testCase": {"description": "greets", "vars": {"name": "Zoë"}},
        "gradingResult": {"pass": all(one["pass"] for one in components), "componentResults": list(components)},
        "success": True,
        "failureReason": 0,
        **more,
    }


def results(*rows):
    return {"evalId": "eval-1", "results": {"version": 3, "results": list(rows)}, "config": {}}


def texts(item):
    assert isinstance(item, Imported), item
    return [str(criterion) for criterion in item.case.criteria]


def test_a_result_is_judged_by_its_assertions_and_labelled_by_their_passes(read):
    (item,) = read(
        results(
            result(
                component("llm-rubric", "Greets {{name}}\n warmly"), component("contains", "au revoir", passed=False)
            )
        )
    )
    assert texts(item) == ["Greets Zoë warmly", 'check: contains "au revoir"']
    assert (item.case.labels, item.case.label, item.case.labelled_by) == ([True, False], False, "grader")
    assert (item.case.id, item.case.title, item.case.result) == ("r-1", "greets", "Bonjour !")
    assert item.case.payload == {"name": "Zoë"}


@pytest.mark.parametrize("form", [lambda row: [row], lambda row: {"results": [row]}, lambda row: row])
def test_rows_stand_in_lines_lists_and_older_documents(read, form):
    (item,) = read(json.dumps(form(result(component("equals", "Bonjour !")))), name="results.jsonl")
    assert texts(item) == ['Is exactly "Bonjour !"']


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("not-contains", "{{name}}", 'check: not_contains "Zoë"'),
        ("contains-all", ["a", "b"], 'Contains each of "a", "b"'),
        ("icontains-any", ["a", "b"], 'Contains one of "a", "b", in upper or lower case'),
        ("starts-with", "Bon", "check: matches /^Bon/"),
        ("not-starts-with", "B/n\n", r"check: not_matches /^B\x2fn\x0a/"),
        ("icontains", "bon Ki", "check: matches /[bB][oO][nN]\\x20[kK\u212a][iI\u0130]/"),
        ("icontains", "é", 'Contains "é", in upper or lower case'),
        ("regex", r"^B[on]+jour\b|\d{2,}", r"check: matches /^B[on]+jour\b|\d{2,}/"),
        ("not-regex", "(?:a|b)?c$", "check: not_matches /(?:a|b)?c$/"),
        ("regex", r"\s", r'Has a part that matches the regular expression "\s"'),
        ("regex", "(?i)bon", 'Has a part that matches the regular expression "(?i)bon"'),
        ("regex", "[^a]", 'Has a part that matches the regular expression "[^a]"'),
        ("not-regex", "a{2000}", 'never: Has a part that matches the regular expression "a{2000}"'),
        ("regex", "^B.*!$", 'Has a part that matches the regular expression "^B.*!$"'),
        ("is-json", None, "Is JSON"),
        ("factuality", "Lima is a city", "Agrees in fact with this: Lima is a city"),
        ("not-llm-rubric", "speaks like a pirate", "never: speaks like a pirate"),
        ("llm-rubric", "- greets", "Meets this: - greets"),
        ("llm-rubric", "never: swears", "Meets this: never: swears"),
    ],
)
def test_assertions_become_criteria_that_say_the_same(read, kind, value, text):
    (item,) = read(results(result(component(kind, value))))
    assert texts(item) == [text]


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("javascript", "output.length < 9", "needs a script"),
        ("latency", None, "needs a script or a number"),
        ("similar", "x", "needs a script or a number"),
        ("is-json", {"type": "object"}, "its schema is not taken over"),
        ("llm-rubric", "file://rubric.txt", "is in another file, file://rubric.txt"),
        ("llm-rubric", "{% if x %}a{% endif %}", "is a template that is not understood"),
        ("llm-rubric", "{{ name | upper }}", "is a template that is not understood"),
        ("llm-rubric", "{{ unknown }}", "is a template that is not understood"),
        ("llm-rubric", {"a": 1}, "has no words"),
        ("llm-rubric", None, "has no words"),
        ("equals", "x" * 3_000, "a criterion of 3013 characters"),
    ],
)
def test_what_cannot_be_said_is_told_and_the_rest_is_taken_over(read, kind, value, why):
    (item,) = read(results(result(component("contains", "a"), component(kind, value, passed=False))))
    assert texts(item) == ['check: contains "a"']
    assert len(item.lost) == 1
    assert f"assertion '{kind}': " in item.lost[0]
    assert why in item.lost[0]
    (skipped,) = read(results(result(component(kind, value))))
    assert isinstance(skipped, Skipped)
    assert why in skipped.reason


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("is-json", {"type": "object", "required": ["a"]}, 'check: json_schema {"type":"object","required":["a"]}'),
        ("is-json", {"properties": {"a": {"items": {"enum": [1]}}}}, None),
        ("is-json", {"format": "date"}, ""),
        ("is-json", {"properties": {"a": {"pattern": "x"}}}, ""),
        ("contains", "x", 'Contains "x"'),
    ],
)
def test_of_an_object_only_its_schema_is_checked(read, kind, value, text):
    (item,) = read(results(result(component(kind, value), component("is-sql"), output={"a": [1]})))
    told = {None: [f"check: json_schema {json.dumps(value, separators=(',', ':'))}"], "": []}.get(text, [text])
    assert texts(item) == [*told, "Is SQL"]


@pytest.mark.parametrize(
    ("kind", "value", "output", "passes"),
    [
        ("icontains", "hi", "oh, H\u0130", True),
        ("icontains", "in", "\u0130n", False),
        ("icontains", "k", "\u212a", True),
        ("icontains", "s", "\u017f", False),
        ("contains", "a  b\n", "x a  b\n", True),
        ("contains", "A", "a", False),
        ("starts-with", "a.b", "acb", False),
    ],
)
def test_a_check_decides_as_promptfoo_does(read, kind, value, output, passes):
    """What `toLowerCase` and `includes` of JavaScript say of each."""
    (item,) = read(results(result(component(kind, value), output=output)))
    (criterion,) = item.case.criteria
    found = read_check(criterion.text).find(Subject(output, {}))
    assert (found.outcome is Outcome.PASS) is passes


def test_what_a_variable_holds_is_no_template(read):
    row = result(component("contains", "{{name}}"), vars={"name": "{{x}}"})
    (item,) = read(results(row))
    assert texts(item) == ['check: contains "{{x}}"']


def test_a_set_of_assertions_is_its_parts(read):
    parts = [component("contains", "a"), component("contains", "b", passed=False)]
    grouped = {"pass": True, "score": 0.5, "componentResults": parts}
    (item,) = read(results(result(grouped, *parts)))
    assert item.case.labels == [True, False]


def test_weight_0_decides_nothing(read):
    (item,) = read(results(result(component("contains", "a"), component("contains", "b", passed=False, weight=0))))
    assert texts(item) == ['check: contains "a"', 'optional: check: contains "b"']
    assert item.case.label is True


def test_a_person_is_believed_before_graders(read):
    (item,) = read(results(result(component("contains", "a", passed=False), component("human", passed=True))))
    assert (item.case.label, item.case.labels, item.case.labelled_by) == (True, [None], "human")


def test_criteria_may_be_given_for_all(read):
    row = result(component("javascript", "1", passed=False))
    (item,) = read(results(row), fields=Fields(criteria="It greets"))
    assert (texts(item), item.case.label, len(item.lost)) == (["It greets"], False, 1)


@pytest.mark.parametrize(
    "broken", [{"failureReason": 2, "error": "timed out"}, {"response": None, "error": "timed out"}]
)
def test_a_result_that_ended_in_an_error_was_not_judged(read, broken):
    (skipped,) = read(results({**result(component("contains", "a")), **broken}))
    assert skipped == Skipped("the file, result 1", "ended in an error, and was not judged: timed out")


def test_repeats_are_skipped_with_their_first(read):
    first, second = read(results(result(component("contains", "a")), result(component("contains", "b"))))
    assert isinstance(first, Imported)
    assert second == Skipped("the file, result 2", "id 'r-1' is that of the file, result 1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"vars": ', "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("7", "is no result, test or configuration of promptfoo"),
        ('{"input": "2 + 2?", "ideal": "4"}', "is no result, test or configuration of promptfoo"),
        ('{"providerOutput": 4, "vars": {"rating": "pass"}}', "nothing says by what it is judged: give --criteria"),
    ],
)
def test_what_maps_to_nothing_is_told_with_its_line(read, line, reason):
    lines = f"{json.dumps(result(component('contains', 'a')))}\n{line}\n"
    first, skipped = read(lines, name="results.jsonl", fields=Fields(label="rating"))
    assert isinstance(first, Imported)
    assert isinstance(skipped, Skipped)
    assert skipped.place == "line 2"
    assert reason in skipped.reason


def test_an_empty_file_has_no_cases(read):
    assert read("", name="results.jsonl") == []


def test_a_line_without_end_is_told_and_the_next_is_read(read, monkeypatch):
    monkeypatch.setattr("cli.promptfoo.LINE_MAX_BYTES", 1_000)
    lines = "\n".join(json.dumps(result(component("contains", "a"), output=text)) for text in ("x" * 5_000, "a"))
    long, item = read(lines, name="results.jsonl")
    assert (long.place, long.reason) == ("line 1", "is longer than 1000 bytes")
    assert item.place == "line 2"


CONFIG = """\
prompts: ['{{question}}']
defaultTest:
  assert:
    - type: llm-rubric
      value: answers {{question}}
tests:
  - description: a sum
    vars: &vars {question: '2 + 2?', human: yes}
    providerOutput: '4'
    assert:
      - type: equals
        value: '4'
  - vars: {<<: *vars, human: 'no'}
    providerOutput: '5'
  - vars: *vars
  - file://more.yaml
"""


def test_tests_of_a_configuration_are_told_by_their_lines(read):
    first, second, third, fourth = read(CONFIG, name="promptfooconfig.yaml", fields=Fields(label="human"))
    assert texts(first) == ["answers 2 + 2?", 'Is exactly "4"']
    assert (first.place, first.case.result, first.case.label) == ("line 7, test 1", "4", True)
    assert (second.place, second.case.label, texts(second)) == ("line 13, test 1", False, ["answers 2 + 2?"])
    assert third == Skipped("line 15, test 1", "has no output of a model: run promptfoo, and import its results")
    assert fourth == Skipped("line 16, test 1", "its tests are elsewhere: import file://more.yaml by itself")


def test_a_configuration_that_nobody_judged_has_no_labels(read):
    first, *_ = read(CONFIG, name="promptfooconfig.yaml")
    assert first == Skipped(
        "line 7, test 1", "was judged by nobody: run promptfoo and import its results, or name a --label"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "is no YAML that can be read"),
        ("a: !!python/object/apply:os.system ['true']", "is no YAML that can be read"),
        ("a: &a [*a]", "something in it contains itself"),
        ("description: nothing", "is no result, test or configuration of promptfoo"),
        ("", "is no result, test or configuration of promptfoo"),
        ("a: &a {tests: [x]}\n<<: *a", "its tests are elsewhere: import x by itself"),
        ("tests: [y]\ntests: [x, ]", "its tests are elsewhere: import x by itself"),
        ("tests: file://tests.csv", "its tests are elsewhere: import file://tests.csv by itself"),
        ("[" * 3_000 + "]" * 3_000, "is no YAML that can be read"),
    ],
)
def test_hostile_configurations_are_told(read, text, reason):
    (skipped,) = read(text, name="promptfooconfig.yaml")
    assert isinstance(skipped, Skipped)
    assert reason in skipped.reason


def test_aliases_of_aliases_are_no_bomb(read):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (skipped,) = read("\n".join(lines), name="bomb.yaml")
    assert "stands for more than 1000000 values" in skipped.reason
