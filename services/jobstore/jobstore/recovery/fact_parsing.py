"""Read a JobChanged: its values typed, and the JSON of users and agents as unchanged texts (docs/adr/0004).

Pydantic's models define facts, but reading by them takes ten times as long as by msgspec, and loses the texts. Facts
that the jobstore signed were validated at its doors: msgspec reads them, into types derived from these models, which
check that JSON is JSON and numbers are numbers. Facts that do not fit these types are read by pydantic.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import EnumType
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import Raw, Struct
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from contracts.events import JobChanged, Requested
from contracts.resources import Job
from jobstore.jobs.model import members
from jobstore.jobs.reads import join_request
from signoff.fields import SumOfMoney, Time
from signoff.status import JobLogKind, JobLogStatus, JobStatus
from signoff.types import JobLog

#: Rare fields: a fact that has one is read by pydantic.
_SELDOM: Final = frozenset({"stub", "last_log"})
#: Types that msgspec reads as pydantic does, or refuses; but it rounds seconds with more than six digits.
_NATIVE: Final = frozenset({str, int, float, bool, Decimal, UUID, list[str], NoneType})
_AWARE: Final = Annotated[datetime, msgspec.Meta(tz=True)]
_KNOWN: Final = {AwareDatetime: _AWARE, Time: _AWARE, SumOfMoney: Decimal}


class Fact(Struct, frozen=True, gc=False):
    """A JobChanged event; `log`, `job` and `requested` have its members that are stored as unchanged JSON texts."""

    body: bytes
    event: JobChanged
    log: Mapping[str, str]
    job: Mapping[str, str]
    requested: Mapping[str, str]
    #: The text of the request of the entry.
    request: str | None

    @property
    def is_whole(self) -> bool:
        """Whether the fact can be applied: it is no stub, and not of an old Signoff whose facts lacked fields."""
        return self.event.stub is None and self.event.log.kind is not None


def parse_fact(body: bytes) -> Fact:
    """Return the fact in the body of a record. ValueError, KeyError: the body is no fact."""
    try:
        return read_as_known(body)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return read_by_pydantic(body)


def read_by_pydantic(body: bytes) -> Fact:
    """Return the fact in a body by pydantic, even with unknown or rare fields. ValueError, KeyError: it is no fact."""
    text = body.decode()
    event = JobChanged.model_validate_json(text)
    _check_words(event)
    parts = members(text)
    requested = members(parts["requested"]) if event.requested else {}
    return _make_fact(body, event, members(parts["log"]), members(parts["job"]), requested)


def _check_words(event: JobChanged) -> None:
    """Raise ValueError if a status or kind is unknown to this version, since open enumerations accept any word."""
    JobLogStatus(event.log.status)
    JobStatus(event.log.job_status)
    JobStatus(event.job.status)
    if event.log.kind is not None:
        JobLogKind(event.log.kind)


def read_as_known(body: bytes) -> Fact:
    """Return the fact in a body by msgspec. MsgspecError, ValueError: it has unknown or rare fields, or is no fact."""
    event: Any = _CHANGED.decode(body)
    requested = _REQUESTED.get_texts(event.requested) if event.requested is not None else {}
    return _make_fact(body, event, _LOG.get_texts(event.log), _JOB.get_texts(event.job), requested)


def _make_fact(
    body: bytes, event: JobChanged, log: Mapping[str, str], job: Mapping[str, str], requested: Mapping[str, str]
) -> Fact:
    texts = members(members(body.decode())["job"]) if "before" in log else job  # an edit may be of any member
    return Fact(body, event, log, job, requested, join_request(log, texts, is_first=event.version == 1))


class _Shape:
    """The msgspec type that stands for a pydantic model; a member for which msgspec has no type stays JSON text."""

    def __init__(self, model: type[BaseModel], nested: Mapping[type[BaseModel], type[Struct]] = {}) -> None:
        fields = {name: field for name, field in model.model_fields.items() if name not in _SELDOM}
        types = {name: _find_type(field.annotation, nested) for name, field in fields.items()}
        self._texts = [name for name, type_ in types.items() if type_ is Raw]
        self.type = msgspec.defstruct(
            model.__name__,
            [_make_field(name, types[name], field) for name, field in fields.items()],
            namespace=dict.fromkeys(_SELDOM & model.model_fields.keys()),
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        self.decode = msgspec.json.Decoder(self.type).decode

    def get_texts(self, values: object) -> dict[str, str]:
        """Return, by name, those members of a decoded value that stayed JSON text."""
        return {name: str(raw, "utf-8") for name in self._texts if (raw := getattr(values, name)) is not None}


def _find_type(annotation: object, nested: Mapping[type[BaseModel], type[Struct]]) -> Any:
    """Return the msgspec type for an annotation of pydantic, or Raw if there is none."""
    options = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    types = [_KNOWN.get(option) or nested.get(option, _find_words(option)) for option in options]
    is_read = all(type_ in {_AWARE, *_NATIVE, *nested.values()} or isinstance(type_, EnumType) for type_ in types)
    return reduce(or_, types) if is_read else Raw


def _find_words(annotation: object) -> object:
    """Return the closed form of an open enumeration: msgspec refuses other words, so that pydantic reads those."""
    words = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return words if isinstance(words, EnumType) else annotation


def _make_field(name: str, type_: Any, field: FieldInfo) -> Any:
    if field.is_required():
        return name, type_
    return name, type_, None if type_ is Raw else field.get_default(call_default_factory=True)


_LOG: Final = _Shape(JobLog)
_JOB: Final = _Shape(Job)
_REQUESTED: Final = _Shape(Requested)
_CHANGED: Final = _Shape(JobChanged, {JobLog: _LOG.type, Job: _JOB.type, Requested: _REQUESTED.type})
