"""Cases of OpenAI Evals: what maps, and what is told where it does not."""

import json

import pytest

from cli.importers.base import Fields, Imported, Skipped
from cli.importers.files import import_cases


@pytest.fixture
def read(tmp_path):
    def read_values(*values, fields=None, name="cases.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in values))
        return list(import_cases(path, fields or Fields()))

    return read_values


def texts(item):
    assert isinstance(item, Imported), item
    return [str(criterion) for criterion in item.case.criteria]


QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is\nthe capital of Peru?"}]


def test_an_ideal_answer_is_a_result_known_to_be_good(read):
    (item,) = read({"input": QUESTION, "ideal": "Lima"})
    assert (item.case.result, item.case.label, item.case.payload) == ("Lima", True, QUESTION)
    assert texts(item) == ["Answers this correctly: What is the capital of Peru?"]


def test_each_of_several_ideal_answers_is(read):
    first, second = read({"input": "2 + 2?", "ideal": ["4", "four"]})
    assert [(item.case.id, item.case.result) for item in (first, second)] == [
        ("line 1, answer 1", "4"),
        ("line 1, answer 2", "four"),
    ]


@pytest.mark.parametrize(("choice", "label"), [("Yes", True), ("N", False), ("Correct", True), (1, True)])
def test_a_completion_is_judged_by_the_ideal_answer_and_its_choice_is_the_label(read, choice, label):
    (item,) = read({"input": QUESTION, "ideal": ["4", "four"], "completion": "It is 4", "choice": choice})
    assert (item.case.result, item.case.label, item.case.labelled_by) == ("It is 4", label, "human")
    assert texts(item) == ["Gives one of these answers: 4; four"]


def test_a_completion_without_a_label_that_is_known_is_skipped(read):
    for choice in ({}, {"choice": "C"}):
        (item,) = read({"input": QUESTION, "ideal": "4", "completion": "It is 4", **choice})
        assert item == Skipped("line 1", "has no label: give label, or labels of some criteria")


def test_a_log_joins_what_was_asked_with_how_it_ended(read):
    log = [
        {"spec": {"eval_name": "capitals.dev.v0"}},
        {"run_id": "r", "event_id": 0, "sample_id": "s.1", "type": "sampling", "data": {"prompt": QUESTION}},
        {"run_id": "r", "event_id": 1, "sample_id": "s.1", "type": "match",
         "data": {"correct": False, "expected": "Lima", "sampled": "Cusco", "options": ["Lima", "Lima, Peru"]}},
        {"run_id": "r", "event_id": 2, "sample_id": "s.1", "type": "metrics", "data": {"score": 1}},
        {"final_report": {"accuracy": 0}},
    ]  # fmt: skip
    item, other = read(*log)
    assert (item.place, item.case.id, item.case.result, item.case.label) == ("line 3", "s.1", "Cusco", False)
    assert (item.case.labelled_by, item.case.payload) == ("grader", QUESTION)
    assert texts(item) == ["Gives one of these answers: Lima; Lima, Peru"]
    assert other == Skipped("line 4", "a log's event 'metrics' says nothing of a result")


OUTPUT = {
    "object": "eval.run.output_item",
    "id": "outputitem_1",
    "datasource_item": {"input": "Rates rise", "ground_truth": "Markets"},
    "results": [{"name": "check", "passed": True, "score": 1.0}, {"name": "tone", "passed": False, "score": 0.1}],
    "sample": {"output": [{"role": "assistant", "content": "Sports"}], "error": None},
}


@pytest.mark.parametrize("name", ["cases.jsonl", "page.json"])
def test_a_page_of_output_items_is_one_document_or_lines(read, name):
    lines = json.dumps({"object": "list", "data": [OUTPUT]}, indent=2 if name == "page.json" else None)
    (item,) = read(lines, name=name)
    assert (item.case.id, item.case.result, item.case.label) == ("outputitem_1", "Sports", False)
    assert (item.case.labelled_by, item.case.payload["ground_truth"]) == ("grader", "Markets")
    assert texts(item) == ["Gives this answer: Markets"]


def test_a_column_that_people_filled_in_is_found_by_its_name(read):
    row = {"item": {"question": "?", "correct_label": "Markets", "rating": "bad", "answer": "Sports"}}
    (skipped,) = read(row)
    assert skipped.reason == "has no output of a model: there is nothing to judge"
    (item,) = read(row, fields=Fields(result="answer", ideal="correct_label", label="rating"))
    assert (item.case.result, item.case.label, item.case.labelled_by) == ("Sports", False, "human")


def test_people_are_believed_before_graders(read):
    value = {**OUTPUT, "datasource_item": {"ideal": "a", "rating": True}}
    (item,) = read(value, fields=Fields(label="rating"))
    assert (item.case.label, item.case.labelled_by) == (True, "human")


def test_criteria_may_be_given_for_all(read):
    value = {**OUTPUT, "datasource_item": {"input": "x"}}
    (skipped,) = read(value)
    assert skipped.reason == "nothing says by what it is judged: give --criteria"
    (item,) = read(value, fields=Fields(criteria="Names a topic\nnever: Explains it"))
    assert texts(item) == ["Names a topic", "never: Explains it"]


def test_a_run_holds_its_items_or_says_where_they_are(read):
    content = [{"item": {"ideal": "4", "label": "pass"}, "sample": {"output_text": "4"}}]
    (item,) = read({"data_source": {"type": "jsonl", "source": {"type": "file_content", "content": content}}},
                   fields=Fields(label="label"))  # fmt: skip
    assert (item.place, item.case.result, item.case.label) == ("line 1, item 1", "4", True)
    (skipped,) = read({"data_source": {"type": "jsonl", "source": {"type": "file_id", "id": "file-1"}}})
    assert skipped.reason == "its items are at OpenAI (file-1): download them first"


def test_an_error_of_the_sample_is_told(read):
    value = {**OUTPUT, "sample": {"error": {"message": "rate limit"}, "output": []}}
    (skipped,) = read(value)
    assert "the sample ended in an error: rate limit; has no output of a model" in skipped.reason


def test_repeats_are_skipped_with_their_first(read):
    first, second = read(OUTPUT, OUTPUT)
    assert isinstance(first, Imported)
    assert second == Skipped("line 2", "id 'outputitem_1' is that of line 1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"input": ', "is no JSON"),
        ("7", "is no sample, log or item of OpenAI Evals"),
        ('{"question": 1}', "is no sample, log or item of OpenAI Evals"),
        ('{"input": [], "ideal": "4"}', "nothing says by what it is judged"),
        ('{"input": "q"}', "has neither an ideal answer nor a completion"),
        ('{"input": 7, "ideal": null}', "has neither an ideal answer nor a completion"),
        ('{"item": 7, "sample": [1]}', "has no output of a model"),
        ('{"data_source": 7}', "its items are at OpenAI"),
        ("[" * 100_000, "is no JSON"),
        ('{"input": "%s", "ideal": "4"}' % ("long " * 1_000), "a criterion of 5023 characters"),
    ],
)
def test_what_maps_to_nothing_is_told_with_its_line(read, line, reason):
    (_, skipped) = read(OUTPUT, line)
    assert isinstance(skipped, Skipped)
    assert skipped.place == "line 2"
    assert reason in skipped.reason


def test_an_empty_file_has_no_cases(read):
    assert read("") == []


def test_a_line_without_end_is_told_and_the_next_is_read(read, monkeypatch):
    monkeypatch.setattr("cli.importers.files.LINE_MAX_BYTES", 1_000)
    long, item = read({"input": "x" * 5_000, "ideal": "4"}, {"input": "q", "ideal": "4"})
    assert (long.place, long.reason) == ("line 1", "is longer than 1000 bytes")
    assert item.place == "line 2"


def test_a_long_ideal_answer_is_a_reference(read):
    ideal = "word " * 400
    (item,) = read({"input": "q", "completion": "a", "choice": "yes", "ideal": ideal})
    assert item.case.references == {1: ideal}
    assert item.case.criteria[0].text == "Gives the answer that the reference gives, or one of them"
