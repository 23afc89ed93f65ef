"""Checks of what agents write: JSON in a text, a fence or lines, CSV, tables of Markdown, Python."""

from typing import Any

import pytest

from contracts.checks import Finding, Subject, read_check
from signoff.status import Outcome

FENCED = """Here it is:
```json
{"total": 42, "items": [{"name": "a"}]}
```
Tell me if [1] anything is missing."""
CSV = """The prices:

```csv
name,price
pen,"1,50"
ink,2
```
"""
TABLE = """# Cities

| city | people |
|:-----|-------:|
| Oslo | 709037 |
| a\\|b | 1 |

That is all."""


def find(text: str, result: Any) -> Finding:
    return read_check(text).find(Subject(result, {"payload": {"total": 42}, "submission": 1}))


@pytest.mark.parametrize(
    ("text", "result", "comment"),
    [
        ("json_path $.total equals 42", FENCED, "in the fence of json at line 2: so it stands at `/total`"),
        ("json_path $.items[*] count 1", FENCED, "in the fence of json at line 2"),
        ("json_path $.error absent", FENCED, "in the fence of json at line 2"),
        ('json_schema {"required": ["total"]}', FENCED, "in the fence of json at line 2: it is valid by the schema"),
        ("cel result.total == payload.total", FENCED, "in the fence of json at line 2"),
        ("cel size(result) > 40", FENCED, "the value of the expression is true"),
        ('json_schema {"maxLength": 200}', FENCED, "it is valid by the schema"),
        ('json_schema {"type": ["string", "object"], "minLength": 60}', FENCED, "it is valid by the schema"),
        ("json_path $ min_words 10", FENCED, "at the result"),
        ("json_path $.a equals 1", 'The answer [1] is {"a": 1}, for {x}.', "in the JSON at line 1"),
        ("json_path $.a equals 1", '\n\n {"a": 1}\n', "in the text"),
        ("json_path $.a equals 1", '```\nls\n```\n~~~\n{"a": 1}\n~~~', "in the fence at line 4"),
        ("json_path $.a equals 1", '- so:\n  ````JSON\n  {"a":\n  1}\n  ````', "in the fence of json at line 2"),
        ("json_path $[1].a equals 2", '{"a": 1}\n\n{"a": 2}\n', "in the lines of JSON"),
        ("json_path $.a absent", "No JSON at all", "nothing stands at `$.a`"),
        ("json_path $.a absent", "42", "nothing stands at `$.a`"),
        ("in json json_path $.a exists", {"a": 1}, "it stands at `/a`"),
        ("in json json_path $.a exists", 'See {"a": 1}', "in the JSON at line 1"),
        ("in jsonl json_path $[*] count 2", '1\n"x"', "in the text"),
        ('in csv json_path $[0].price equals "1,50"', CSV, "in the fence of csv at line 3: so it stands at `/0/price`"),
        ("in csv cel result.all(row, row.name != '')", CSV, "in the fence of csv at line 3"),
        ("in csv json_path $[*].b count 2", "a;b;c\n1;2;3\n\n3;4;5\n", "in the text"),
        ('in csv json_path $[0].b equals "2"', "a\tb\r\n1\t2\r\n", "in the text"),
        (
            'in markdown_table json_path $[*].city equals "Oslo"',
            TABLE.replace("| a\\|b | 1 |\n", ""),
            "table at line 3",
        ),
        ('in markdown_table json_path $[1].city equals "a|b"', TABLE, "in the table at line 3"),
        (
            'in markdown_table json_schema {"minItems": 2}',
            "```md\na | b\n--|--\n1 | 2\n3 | 4\n```",
            "the table at line 2",
        ),
        ("valid json", FENCED, "valid json: the fence of json at line 2"),
        ("valid json", "```json\n1\n```\n```json\n2\n```", "line 1, and 1 more"),
        ("valid json", [1], "the result itself is JSON"),
        ("valid jsonl", '{"a": 1}\n{"a": 2}', "the text"),
        ("valid csv", CSV, "the fence of csv at line 3"),
        ("valid python", "x = 1\n", "valid python: the text"),
        ("valid python", "Run:\n```py\nprint('\\d')\n```\n```sh\nls -l\n```", "the fence of py at line 2"),
        ("valid markdown_table", TABLE, "the table at line 3"),
        ("valid markdown_table", "|a|\n|-|\n|1|", "the table at line 1"),
        ("json_path $.code valid python", {"code": "x = 1"}, "at `/code`: valid python: the text"),
    ],
)
def test_what_agents_write_is_read_and_the_comment_says_where(text: str, result: Any, comment: str) -> None:
    finding = find(text, result)
    assert finding.outcome is Outcome.PASS, finding
    assert comment in finding.comment


@pytest.mark.parametrize(
    ("text", "result", "comment"),
    [
        ("json_path $.items[*].name equals 1", FENCED, "in the fence of json at line 2: `/items/0/name` is"),
        ("json_path $.a exists", "No JSON at all", "nothing stands at `$.a`"),
        ("json_path $.a exists", '{"items": [{"a": 1}', "what begins at line 1 is no JSON"),
        ("json_path $.a absent", 'x\n{"items": [{"a": 1}', "what begins at line 2 is no JSON"),
        ("json_path $.a exists", '```json\n{"b": {"a": 1}\n```', "the fence of json at line 1 is no JSON"),
        (
            "json_path $.a absent",
            'one {"a": 1}\ntwo {"a": 2}',
            "more than one json: the JSON at line 1, and the JSON at line 2",
        ),
        ("cel result.a == 1", "No JSON at all", "the expression has no value"),
        ("in json json_path $.a absent", "No JSON at all", "the text has no JSON"),
        ("in csv json_path $[*].a exists", {"a": 1}, "must be a text with csv in it"),
        ("in csv json_path $[*].a exists", "```csv\na,b\n1,2\n```\n```csv\na,b\n1,2\n```", "more than one csv"),
        (
            "in markdown_table json_path $[*].a exists",
            "|a|\n|-|\n|1|\n\n|b|\n|-|\n|1|",
            "line 1, and the table at line 5",
        ),
        ("valid json", "Yes.", "has no JSON"),
        ("valid json", "{'a': 1}", "has no JSON"),
        ("valid json", '{"a": NaN}', "is no JSON"),
        (
            "valid json",
            '```json\n{"a": 1,\n "b": }\n```',
            "the fence of json at line 1 is no JSON: expected value at line 3",
        ),
        ("valid json", "```json\n1\n```\n```json\n[\n```", "line 4"),
        ("valid json", '{"a":' * 200 + "1" + "}" * 200, "is no JSON"),
        ("valid jsonl", '{"a": 1}\n{"a": }', "at line 2"),
        ("valid jsonl", "\n\n", "the text is empty"),
        ("valid csv", "Dear Sir, thank you", "two columns and a row"),
        ("valid csv", "a\n1\n2", "two columns and a row"),
        ("valid csv", "a,b\n1,2,3", "line 2 has 3 cells, and line 1 has 2"),
        ("valid csv", "```csv\na,b\n1\n```", "line 3 has 1 cell, and line 2 has 2"),
        ("valid csv", "a,a\n1,2", "two columns at line 1 have one name"),
        ("valid csv", 'a,b\n1,"2', "is no CSV: unexpected end of data at line 2"),
        ("valid csv", 'a,b\n1,"2"3', "is no CSV"),
        ("valid csv", {"a": 1}, "must be a text with csv in it"),
        ("valid python", "```python\nx = (\n```", "the fence of python at line 1 is no Python 3."),
        ("valid python", "x = 1\nif x\n  y", "expected ':' at line 2"),
        ("valid python", "a\0b", "null bytes"),
        ("valid python", "```py\nx = 1\n```\n```py\nx = = 1\n```", "the fence of py at line 4"),
        ("valid python", "```\n```\n" * 1_001, "more than 1,000 fences"),
        ("valid markdown_table", "a | b\nc | d", "no table of Markdown"),
        ("valid markdown_table", "|a|b|\n|-|-|\n", "the table at line 1 has no row"),
        ("valid markdown_table", "|a|b|\n|-|-|\n|1|2|\n|1|\n", "line 4 has 1 cell, and line 1 has 2"),
        ("valid markdown_table", "|a|b|c|\n|-|-|\n|1|2|3|", "line 2 has 2 cells, and line 1 has 3"),
        ("valid markdown_table", "|\n|\n|", "no table of Markdown"),
        ("valid markdown_table", "```python\na | b\n--|--\nc | d\n```", "no table of Markdown"),
    ],
)
def test_what_is_faulty_is_told_with_its_line(text: str, result: Any, comment: str) -> None:
    finding = find(text, result)
    assert finding.outcome is Outcome.FAIL, finding
    assert comment in finding.comment
    assert finding.evidence


def test_what_stands_within_broken_json_is_not_taken_for_the_whole() -> None:
    whole = '{"status": "ok", "items": [{"total": 1}, {"total": 2}]}'
    for end in range(1, len(whole)):
        assert find("json_path $.total exists", f"So: {whole[:end]}").outcome is Outcome.FAIL


def test_python_is_parsed_and_never_run() -> None:
    assert find("valid python", "raise SystemExit(1)").outcome is Outcome.PASS
    assert find("valid python", "import nothing_of_this_name").outcome is Outcome.PASS
