"""`signoff judge`: what is shown of an evaluation and of an import, and what its page may hold."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.usefixtures("judge")

BAD = {"label": False}


def lines_of(ran):
    return [" ".join(line.split()) for line in ran.out.splitlines()]


async def test_an_evaluation_shows_how_often_a_policy_is_right(signoff, cases, judge):
    judge.say = lambda case, _policy, _asked: "f" if case.id == "case-4" else "p"
    ran = await signoff("judge", "evaluate", str(cases({}, {}, BAD, BAD)), "--policy", "strict@3")
    assert ran.status == 0
    lines = lines_of(ran)
    assert "strict@3" in lines[0]
    assert "labelled results judged 4: 2 good, 2 bad" in lines
    assert "agreement 75.0 % (30.1 to 95.4)" in lines
    assert "false accepts, of bad 50.0 % (9.5 to 90.5)" in lines
    assert "kappa 0.50" in lines
    assert "cost $0.0400" in lines
    assert "an ask: median; 95 % 1.50 s; 1.50 s" in lines
    assert "1 disagreements, to be read with --html: case-3" in lines


async def test_the_default_policy_is_evaluated_where_none_is_named(signoff, cases, judge):
    await signoff("judge", "evaluate", str(cases({})))
    assert judge.asked == [("case-1", "default")]


async def test_two_policies_are_compared_and_one_named_twice_is_one(signoff, cases, judge):
    judge.say = lambda case, policy, _asked: "f" if case.label is False and policy == "b" else "p"
    options = [word for name in ("a", "b", "a") for word in ("--policy", name)]
    ran = await signoff("judge", "evaluate", str(cases({}, *[BAD] * 6)), *options)
    sentence = (
        "a alone is right in 0 cases, b alone in 6: p = 0.0312 by McNemar's exact test, chance explains that badly"
    )
    assert sentence in ran.out
    assert len(judge.asked) == 14


async def test_criteria_on_which_a_policy_errs_less_are_named(signoff, cases, judge, tmp_path):
    judge.say = lambda case, policy, _asked: "f" if policy == "each" and case.label is False else "p"
    labelled = str(cases({"labels": [True]}, {"labels": [False], **BAD}, {"labels": [False], **BAD}))
    page = tmp_path / "page.html"
    ran = await signoff("judge", "evaluate", labelled, "--policy", "all", "--policy", "each", "--html", str(page))
    gains = 'each errs less on "It rhymes" (0 of 3 instead of 2)'
    assert gains in lines_of(ran)
    assert "each errs less on &quot;It rhymes&quot; (0 of 3 instead of 2)" in page.read_text()
    ran = await signoff("judge", "evaluate", labelled, "--policy", "each", "--policy", "all")
    assert "errs less" not in ran.out


async def test_as_json_it_is_the_whole_report(signoff, cases):
    ran = await signoff("judge", "evaluate", str(cases({}, BAD)), "--json", "--repeats", "2")
    assert ran.json["policies"][0]["overall"]["false_accepts"] == 1
    assert ran.json["repeats"] == 2
    assert ran.json["disagreements"]["items"][0]["id"] == "case-2"


async def test_what_was_judged_is_kept_by_the_name_that_the_report_has(signoff, cases, jobstore):
    ran = await signoff("judge", "evaluate", str(cases({}, BAD)), "--policy", "strict@3", "--json")
    assert jobstore.kept == [ran.json["evaluation"]]


async def test_of_one_label_alone_what_is_undefined_is_called_so(signoff, cases):
    ran = await signoff("judge", "evaluate", str(cases({}, {})))
    assert "true negative rate undefined: no such labels" in lines_of(ran)
    assert "kappa undefined" in lines_of(ran)


async def test_what_was_not_judged_and_what_was_skipped_is_told(signoff, cases, judge):
    judge.say = lambda case, _policy, _asked: "-" if case.id == "case-1" else "p"
    ran = await signoff("judge", "evaluate", str(cases({}, {}, "{")), "--skip-bad")
    assert "not judged 1 judge_incomplete" in lines_of(ran)
    assert "line 3 was skipped: is no JSON" in ran.out


async def test_a_bad_file_ends_the_command_and_nobody_is_asked(signoff, cases, judge):
    ran = await signoff("judge", "evaluate", str(cases({}, "{")), "--json")
    assert ran.status == 2
    assert json.loads(ran.err)["code"] == "bad_cases"
    assert judge.asked == []


HOSTILE = "</pre></details><script>alert(1)</script><img src=x onerror='alert(1)'>\u202etxt.exe\x1b[31m&amp;"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


async def test_the_page_needs_nothing_else_and_nothing_in_it_is_markup(signoff, cases, tmp_path):
    hostile = {"id": f"a{HOSTILE}", "title": HOSTILE, "result": HOSTILE, "label": False}
    hostile["acceptance_criteria"] = f"It says {HOSTILE}"
    path = cases(hostile, {}, {"result": {"a": "x\ny"}, "label": False})
    options = ["--policy", "a", "--policy", "b", "--html", "page.html"]
    ran = await signoff("judge", "evaluate", str(path), *options)
    assert ran.status == 0, ran.err
    page = (tmp_path / "page.html").read_text("utf-8")
    parser = Tags()
    parser.feed(page)
    tables = {"table", "thead", "tbody", "tr", "th", "td"}
    words = {"h1", "h2", "p", "b", "pre", "span", "details", "summary"}
    assert parser.tags <= {"html", "head", "meta", "title", "style", "body"} | tables | words
    assert parser.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert not set(page) & {"\u202e", "\x1b"}
    assert "://" not in page
    style = re.search("<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert "alert(1)" in parser.text
    assert "Disagreements to read: 2" in parser.text
    assert "because p" in parser.text


async def test_a_page_that_cannot_be_written_costs_nothing(signoff, cases, judge):
    ran = await signoff("judge", "evaluate", str(cases({})), "--html", "no/such/folder/page.html")
    assert ran.status == 2
    assert "page.html cannot be written: No such file or directory" in ran.err
    assert judge.asked == []


async def test_an_import_writes_cases_and_tells_what_it_could_not_take_over(signoff, judge, tmp_path):
    source = tmp_path / "samples.jsonl"
    source.write_text('{"providerOutput": "4", "vars": {"rating": "good"}}\n{"vars": {}}\n')
    options = ["--output", "own.jsonl", "--criteria", "It adds", "--label", "rating"]
    ran = await signoff("judge", "import", str(source), *options)
    assert ran.status == 0
    assert "line 2 is skipped: has no output of a model" in ran.out
    assert "1 cases, 0 of them in part; 1 skipped" in ran.out
    assert (await signoff("judge", "evaluate", "own.jsonl")).status == 0
    assert judge.asked == [("line 1", "default")]


async def test_an_import_as_json_counts_and_tells(signoff, tmp_path):
    source = tmp_path / "samples.jsonl"
    source.write_text('{"vars": {"answer": "4", "rating": "good"}}\n')
    options = ["--output", "own.jsonl", "--criteria", "It adds", "--result", "answer", "--label", "rating", "--json"]
    ran = await signoff("judge", "import", str(source), *options)
    assert ran.json == {"cases": 1, "skipped": 0, "in_part": 0, "told": []}
    case = json.loads((tmp_path / "own.jsonl").read_text())
    assert case["criteria"] == [{"text": "It adds"}]
    assert case["label"] is True


async def test_an_import_replaces_no_file(signoff, tmp_path):
    source = tmp_path / "samples.jsonl"
    source.write_text("{}\n")
    (tmp_path / "own.jsonl").write_text("mine")
    ran = await signoff("judge", "import", str(source), "--output", "own.jsonl")
    assert (ran.status, (tmp_path / "own.jsonl").read_text()) == (2, "mine")
    assert "own.jsonl: File exists" in ran.err


async def test_a_file_of_another_tool_is_told_where_to_go(signoff, tmp_path):
    source = tmp_path / "samples.jsonl"
    source.write_text('{"vars": {"question": "2 + 2?"}}\n')
    ran = await signoff("judge", "evaluate", str(source))
    assert ran.status == 2
    assert "looks like a case of promptfoo: `signoff judge import` makes cases of it" in ran.err
