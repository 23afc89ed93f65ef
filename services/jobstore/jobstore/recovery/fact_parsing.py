"""Read a JobChanged: its values typed, and the JSON of users and agents as the texts that they are (docs/adr/0004).

Pydantic says what a fact is, but takes ten times as long as msgspec, and loses the texts. So facts are read by msgspec,
into types that are made of pydantic's models and take nothing that those refuse; what they do not take, pydantic reads.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import EnumType
from functools import lru_cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import Raw, Struct
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from contracts.events import JobChanged, Requested
from contracts.jsontext import LEVELS_MAX, parse_json
from contracts.resources import Job, JobLog
from jobstore.domain.spec import format_assignment, format_edit
from jobstore.json_members import members

#: Fields that are seldom given: where one is, pydantic reads the fact.
_SELDOM: Final = frozenset({"stub", "last_log"})
#: Types that msgspec reads as pydantic does, or refuses. Only of more than six digits of a second it rounds the rest.
_NATIVE: Final = frozenset({str, int, float, bool, UUID, datetime, list[str], NoneType})
#: Texts of each field that are remembered to be right: policies and agents are the same in many facts.
_REMEMBERED: Final = 256


class Fact(Struct, frozen=True):
    """A JobChanged; its parts have the JSON texts that are to be stored as they were written."""

    body: bytes
    event: JobChanged
    log: dict[str, str]
    job: Mapping[str, str]
    requested: Mapping[str, str]
    before: Mapping[str, str] | None

    @property
    def is_whole(self) -> bool:
        """Whether it can be applied: a stub cannot, nor what was told before facts had all that a rebuild needs."""
        return self.event.stub is None and self.event.kind is not None


def parse_fact(body: bytes) -> Fact:
    """Return the fact in a record. ValueError, KeyError: it holds none."""
    try:
        fact = read_as_known(body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        fact = read_by_pydantic(body)
    log, before = fact.log, fact.before
    if "request_payload" not in log and before is not None:
        job = members(members(body.decode())["job"])  # of any member that was edited the text
        log["request_payload"] = format_edit(job["payload"], {name: job[name] for name in before}, before)
    elif "request_payload" not in log and fact.event.version == 1:
        log["request_payload"] = format_assignment(fact.job.get("payload", "null"))
    return fact


def read_by_pydantic(body: bytes) -> Fact:
    """Return a fact, whatever else it has and in whatever form. ValueError, KeyError: it is none."""
    text = body.decode()
    event = JobChanged.model_validate_json(text)
    parts = members(text)
    requested = members(parts["requested"]) if event.requested else {}
    before = members(parts["before"]) if event.before is not None else None
    return Fact(body, event, members(parts["log"]), members(parts["job"]), requested, before)


def read_as_known(body: bytes) -> Fact:
    """Return a fact that has known members in their usual forms. MsgspecError, ValueError: pydantic has to read it."""
    event: Any = _CHANGED.decode(body.decode())  # msgspec does not see what is no UTF-8 in what it passes on
    text = _CHANGED.check(event).get("before", "null")
    before = members(text) if text != "null" else None
    requested = _REQUESTED.check(event.requested) if event.requested is not None else {}
    return Fact(body, event, _LOG.check(event.log), _JOB.check(event.job), requested, before)


class _Shape:
    """The members of a model as msgspec reads them: what it has no type for stays text, which pydantic checks."""

    def __init__(self, model: type[BaseModel], nested: Mapping[type[BaseModel], type[Struct]] = {}) -> None:
        fields = {name: field for name, field in model.model_fields.items() if name not in _SELDOM}
        types = {name: _find_type(field.annotation, nested) for name, field in fields.items()}
        self._texts = {name: _make_text_check(fields[name]) for name, type_ in types.items() if type_ is Raw}
        self._values = {
            name: _make_adapter(field).validator.validate_python
            for name, field in fields.items()
            if types[name] is not Raw and field.metadata
        }
        self.type = msgspec.defstruct(
            model.__name__,
            [_make_field(name, types[name], field) for name, field in fields.items()],
            namespace=dict.fromkeys(_SELDOM & model.model_fields.keys()),
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        self.decode = msgspec.json.Decoder(self.type).decode

    def check(self, values: object) -> dict[str, str]:
        """Return the texts of what was decoded. ValueError: a text, or a value, is not what the model takes."""
        for name, check_value in self._values.items():
            check_value(getattr(values, name))
        texts = {}
        for name, check_text in self._texts.items():
            if (raw := getattr(values, name)) is not None:
                texts[name] = text = str(raw, "utf-8")
                check_text(text)
        return texts


def _find_type(annotation: object, nested: Mapping[type[BaseModel], type[Struct]]) -> Any:
    """Return what msgspec reads for a type of pydantic's."""
    options = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    types = [nested.get(option, option) for option in options]
    is_read = all(type_ in {*_NATIVE, *nested.values()} or isinstance(type_, EnumType) for type_ in types)
    return reduce(or_, types) if is_read else Raw


def _make_field(name: str, type_: Any, field: FieldInfo) -> Any:
    if field.is_required():
        return name, type_
    return name, type_, None if type_ is Raw else field.get_default(call_default_factory=True)


def _make_text_check(field: FieldInfo) -> Callable[[str], object]:
    if field.annotation is Any:  # a stranger's, which is another in every fact
        return _check_strangers_text
    adapter = _make_adapter(field)

    @lru_cache(_REMEMBERED)
    def check(text: str) -> None:
        parse_json(text)  # within an event, fewer levels are too many
        adapter.validate_json(text)

    return check


def _check_strangers_text(text: str) -> None:
    """Raise ValueError for what `parse_json` refuses. Of what is not too deep msgspec takes no more than that does."""
    if text.count("[") + text.count("{") > LEVELS_MAX:
        parse_json(text)
    else:
        _decode_any(text)


def _make_adapter(field: FieldInfo) -> TypeAdapter[object]:
    annotated: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotated)


_decode_any: Final = msgspec.json.Decoder().decode
_LOG: Final = _Shape(JobLog)
_JOB: Final = _Shape(Job)
_REQUESTED: Final = _Shape(Requested)
_CHANGED: Final = _Shape(JobChanged, {JobLog: _LOG.type, Job: _JOB.type, Requested: _REQUESTED.type})
