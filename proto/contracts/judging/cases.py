"""Read labelled cases, a JSON object a line: a result, the criteria that it is judged by, and labels of people.

`{"id", "title", "description", "payload", "result", "criteria" or "acceptance_criteria", "references", "labels",
"label", "labelled_by"}`: title, description and payload are the task; `labels` says of each criterion whether it is
met, as a list in the order of the criteria or by their texts, with null for no label; `label` says whether the whole
result is good, and follows from the labels of the required criteria if it is not given.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NamedTuple

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from contracts.criteria import CriteriaList, CriteriaText, Criterion, References, check_numbers, join_forms
from contracts.fields import StrictModel, Text, Title, describe_problem
from signoff.jsontext import Json, json_text, parse_json

#: Bytes of a line at most: more than any door takes as a job and its result.
LINE_MAX_BYTES: Final = 8 << 20

Label = bool | None


@dataclass(frozen=True)
class Case:
    """A result with its criteria and the labels of people: for each criterion, in order, and for the whole."""

    id: str
    result: Any
    criteria: list[Criterion]
    labels: list[Label]
    label: Label
    title: str | None = None
    payload: Any = None
    labelled_by: str | None = None
    description: str = ""
    references: Mapping[int, str] = field(default_factory=dict)

    def write(self) -> str:
        """Return the case as a line that `read_case` reads."""
        optional = {"title": self.title, "payload": self.payload, "label": self.label, "labelled_by": self.labelled_by}
        criteria = [criterion.model_dump(exclude_defaults=True) for criterion in self.criteria]
        known = {name: value for name, value in optional.items() if value is not None}
        known |= {"description": self.description} if self.description else {}
        known |= {"references": dict(self.references)} if self.references else {}
        return json_text({"id": self.id, "result": self.result, "criteria": criteria, "labels": self.labels, **known})

    def ask(self, submission: int = 1) -> dict[str, Any]:
        """Return the fields of a judging of this case, as of submission number `submission` of the case's job."""
        criteria = "\n".join(map(str, self.criteria))
        asked = {
            "acceptance_criteria": criteria,
            "title": self.title,
            "description": self.description or None,
            "payload": self.payload,
            "references": dict(self.references) or None,
            "submission": submission,
        }
        return {"result": self.result, **{name: value for name, value in asked.items() if value is not None}}

    def write_labels(self) -> str:
        """Return the labels of the whole and then of each criterion as letters: `t`, `f`, or `-` for no label."""
        return "".join(_LETTERS[label] for label in (self.label, *self.labels))


_LETTERS: Final[Mapping[Label, str]] = {True: "t", False: "f", None: "-"}
_LABELS: Final = {letter: label for label, letter in _LETTERS.items()}


def read_labels(letters: str) -> list[Label]:
    """Return the labels of the whole and then of each criterion, for which the letters stand."""
    return [_LABELS[letter] for letter in letters]


class _Line(StrictModel):
    """A case as it is written."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    title: Title | None = None
    result: Json
    description: Text = ""
    payload: Json = None
    references: References = Field(default_factory=dict)
    acceptance_criteria: CriteriaText | None = None
    criteria: CriteriaList | None = None
    labels: list[Label] | dict[str, Label] | None = None
    label: Label = None
    labelled_by: Annotated[Text, StringConstraints(max_length=64)] | None = None

    def to_case(self) -> Case:
        """Return the case. Raise ValueError if its parts contradict one another."""
        _, criteria = join_forms(self.acceptance_criteria, self.criteria)
        check_numbers(self.references, criteria)
        labels = _read_labels(self.labels, criteria)
        label = _derive(labels, criteria)
        if label is None:
            label = self.label
        elif self.label not in (None, label):
            msg = f"label is {json_text(self.label)}, and labels say {json_text(label)} of the required criteria"
            raise ValueError(msg)
        if label is None and labels.count(None) == len(labels):
            raise ValueError("has no label: give label, or labels of some criteria")
        task = (self.title, self.payload, self.labelled_by, self.description)
        return Case(self.id, self.result, criteria, labels, label, *task, self.references)


def _read_labels(given: list[Label] | dict[str, Label] | None, criteria: list[Criterion]) -> list[Label]:
    if given is None:
        return [None] * len(criteria)
    if isinstance(given, list):
        if len(given) != len(criteria):
            msg = f"labels has {len(given)} entries for {len(criteria)} criteria: give one for each, null where unknown"
            raise ValueError(msg)
        return given
    names: dict[str, int] = {}
    for place, criterion in enumerate(criteria):
        for name in {criterion.text, str(criterion)}:
            if names.setdefault(name, place) != place and name in given:
                raise ValueError(f"labels names {name!r}, which two criteria are called: give labels as a list")
    if unknown := [name for name in given if name not in names]:
        raise ValueError(f"labels names {unknown[0]!r}, which is none of the criteria")
    labels: list[Label] = [None] * len(criteria)
    for name, label in given.items():
        labels[names[name]] = label
    return labels


def _derive(labels: list[Label], criteria: list[Criterion]) -> Label:
    """Return the label of the whole that follows from the labels of the required criteria; None if none follows."""
    required = [label for label, criterion in zip(labels, criteria, strict=True) if criterion.required]
    return False if False in required else None if None in required else True


class BadLine(NamedTuple):
    """The number of a line that is no case, and the reason why."""

    line: int
    reason: str


class NumberedCase(NamedTuple):
    """A case, and the number of its line."""

    line: int
    case: Case


def read_cases(lines: Iterable[bytes]) -> Iterator[NumberedCase | BadLine]:
    """Yield the case of each line, or why the line is none. Blank lines are skipped; only the cases' ids are kept."""
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        case = read_case(line)
        if isinstance(case, str):
            yield BadLine(number, case)
        elif (first := seen.setdefault(case.id, number)) != number:
            yield BadLine(number, f"id {case.id!r} is that of line {first}")
        else:
            yield NumberedCase(number, case)


def read_case(line: bytes) -> Case | str:
    """Return the case in a line, or as a text the reason why the line is no case."""
    if len(line) > LINE_MAX_BYTES:
        return f"is longer than {LINE_MAX_BYTES} bytes"
    try:
        value = parse_json(line)
    except ValueError as error:
        return f"is no JSON: {error}"
    return make_case(value)


def make_case(value: Any) -> Case | str:
    """Return the case that a JSON value describes, or as a text the reason why the value describes none."""
    if not isinstance(value, Mapping):
        return "is no JSON object"
    if "result" not in value and ("vars" in value or "testCase" in value):
        return "looks like a case of promptfoo: `signoff judge import` makes cases of it"
    try:
        return _Line.model_validate(value).to_case()
    except ValidationError as error:
        return "; ".join(map(describe_problem, error.errors()[:3]))
    except ValueError as error:
        return str(error)


def hash_question(asked: Mapping[str, Any]) -> str:
    """Return the hash of a judging's fields, without labels: the question. The order of members does not matter."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def hash_questions(labelled: Iterable[tuple[str, str]]) -> str:
    """Return one hash of pairs: a question's hash, and its labels as letters. The order of pairs does not matter."""
    return hashlib.sha256(
        "".join(f"{question} {labels}\n" for question, labels in sorted(labelled)).encode()
    ).hexdigest()


def hash_cases(cases: Iterable[Case], submission: int = 1) -> str:
    """Return one hash of cases that are judged as submission `submission`. The order of cases does not matter."""
    return hash_questions((hash_question(case.ask(submission)), case.write_labels()) for case in cases)
