"""Import what OpenAI Evals knows: samples, logs of `oaieval`, and the items that the Evals API lists and exports.

| there | here |
|---|---|
| sample: `input`, `ideal`, `completion`, `choice` | the completion, by the ideal answer; the choice is its label |
| sample: `input`, `ideal` alone | each ideal answer is a result known to be good, by the question |
| log: the event `match` with `sampled`, `expected`, `correct` | the same, labelled by the grader |
| API: `datasource_item` or `item`, `sample`, `results` | the output, by the item's ideal answer, labelled by graders |
| API: `data_source.source.content`; `data` of a list | each item of it |
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cli.importers.base import (
    GRADER,
    HUMAN,
    Draft,
    Fields,
    Imported,
    Skipped,
    as_list,
    as_mapping,
    finish,
    look_up,
    make_criterion,
    read_label,
)
from contracts.criteria import CRITERION_MAX_CHARS

#: Names that items give to the right answer.
IDEALS: Final = (
    "ideal",
    "ground_truth",
    "expected",
    "expected_output",
    "reference",
    "reference_answer",
    "correct_answer",
)
RESULTS: Final = ("completion", "output", "output_text", "response", "result")
#: Records of a log that are about the run and no sample.
_ABOUT_THE_RUN: Final = ("spec", "final_report")


class OpenAIEvals:
    """Read values one after another: a log says of a sample first what was asked, then how that ended."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._prompts: dict[str, Any] = {}

    def read(self, place: str, value: Any) -> Iterator[Imported | Skipped]:
        """Return the cases in a value."""
        record = as_mapping(value)
        if isinstance(value, list) or isinstance(record.get("data"), list):
            for number, one in enumerate(value if isinstance(value, list) else record["data"], 1):
                yield from self.read(f"{place}, item {number}", one)
        elif "data_source" in record:
            yield from self._read_source(place, as_mapping(as_mapping(record["data_source"]).get("source")))
        elif "event_id" in record or any(name in record for name in _ABOUT_THE_RUN):
            yield from self._read_event(place, record)
        elif "datasource_item" in record or "item" in record:
            yield self._read_item(place, record)
        elif "input" in record:
            yield from self._read_sample(place, record)
        else:
            yield Skipped(place, "is no sample, log or item of OpenAI Evals")

    def _read_source(self, place: str, source: Mapping[str, Any]) -> Iterator[Imported | Skipped]:
        if isinstance(source.get("content"), list):
            yield from self.read(place, source["content"])
        else:
            yield Skipped(place, f"its items are at OpenAI ({source.get('id', 'no file')}): download them first")

    def _read_event(self, place: str, record: Mapping[str, Any]) -> Iterator[Imported | Skipped]:
        data, sample = as_mapping(record.get("data")), str(record.get("sample_id"))
        kind = record.get("type", "about the run")
        if kind == "sampling":
            self._prompts[sample] = data.get("prompt")
        elif kind == "match":
            prompt = self._prompts.pop(sample, None)
            draft = Draft(sample, data.get("sampled"), label=read_label(data.get("correct")), labelled_by=GRADER)
            yield self._finish(place, draft, prompt, look_up([data], ["options", "expected"]))
        elif not any(name in record for name in _ABOUT_THE_RUN):
            yield Skipped(place, f"a log's event {kind!r} says nothing of a result")

    def _read_item(self, place: str, record: Mapping[str, Any]) -> Imported | Skipped:
        item = as_mapping(record.get("datasource_item", record.get("item")))
        sample = as_mapping(record.get("sample"))
        said = [as_mapping(one).get("content") for one in as_list(sample.get("output"))]
        result = look_up([{"said": said[-1] if said else None}, sample], ["said", "output_text"])
        if result is None:
            result = look_up([item], [self._fields.result, *RESULTS])
        graded = [read_label(as_mapping(one).get("passed")) for one in as_list(record.get("results"))]
        label = read_label(look_up([item], [self._fields.label]))
        draft = Draft(str(look_up([record, item], ["id"]) or place), result, label=label, labelled_by=HUMAN)
        if label is None and graded and None not in graded:
            draft.label, draft.labelled_by = all(graded), GRADER
        if sample.get("error"):
            draft.lost.append(f"the sample ended in an error: {as_mapping(sample['error']).get('message')}")
        draft.payload = item
        return self._finish(place, draft, item.get("input"), look_up([item], [self._fields.ideal, *IDEALS]))

    def _read_sample(self, place: str, record: Mapping[str, Any]) -> Iterator[Imported | Skipped]:
        ideal = look_up([record], [self._fields.ideal, *IDEALS])
        result = look_up([record], [self._fields.result, *RESULTS])
        name = str(record.get("id") or place)
        if result is not None:
            label = read_label(look_up([record], [self._fields.label, "choice"]))
            yield self._finish(place, Draft(name, result, label=label, labelled_by=HUMAN), record["input"], ideal)
            return
        ideals = ideal if isinstance(ideal, list) else [ideal]
        question = find_question(record["input"])
        for number, answer in enumerate(ideals, 1):
            own = name if len(ideals) == 1 else f"{name}, answer {number}"
            draft = Draft(own, answer, label=True, labelled_by=HUMAN, payload=record["input"])
            if question:
                _add(draft, f"Answers this correctly: {question}")
            if answer is None:
                yield Skipped(place, "has neither an ideal answer nor a completion: there is nothing to judge")
            else:
                yield finish(place, draft, self._fields)

    def _finish(self, place: str, draft: Draft, prompt: Any, ideal: Any) -> Imported | Skipped:
        if draft.result is None:
            return Skipped(place, "; ".join([*draft.lost, "has no output of a model: there is nothing to judge"]))
        draft.payload = prompt if draft.payload is None else draft.payload
        ideals = [str(one) for one in (ideal if isinstance(ideal, list) else [ideal]) if one is not None]
        if sum(map(len, ideals)) > CRITERION_MAX_CHARS // 2:  # too long for a criterion, or for one that is understood
            draft.references[len(draft.criteria) + 1] = "\n\n".join(ideals)
            _add(draft, "Gives the answer that the reference gives, or one of them")
        elif len(ideals) == 1:
            _add(draft, f"Gives this answer: {ideals[0]}")
        elif ideals:
            _add(draft, f"Gives one of these answers: {'; '.join(ideals)}")
        return finish(place, draft, self._fields)


def find_question(prompt: Any) -> str:
    """Return the text of a prompt: itself, or the last message that is a user's, else the last."""
    if isinstance(prompt, str):
        return prompt
    messages = [as_mapping(one) for one in as_list(prompt)]
    asked = [one for one in messages if one.get("role") == "user"] or messages
    return str(asked[-1].get("content") or "") if asked else ""


def _add(draft: Draft, text: str) -> None:
    try:
        draft.criteria.append(make_criterion(text))
    except ValueError as error:
        draft.lost.append(str(error))
