"""Read a message of the jobstore as a record: the attributes of its resource, without pydantic, which checks it."""

from types import SimpleNamespace
from typing import Any, Final

from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import judge_service_pb2 as judges_pb
from signoff.v1 import resources_pb2 as pb
from signoff.v1 import verdict_pb2 as verdicts_pb
from signoff.wire import read_with

#: What follows the name of a field in the name of the field beside it that holds the same JSON as text.
_JSON: Final = "_json"
_VERDICT: Final = verdicts_pb.Verdict.DESCRIPTOR


class Record(SimpleNamespace):
    """The fields of a message. `nulls`: those of JSON that were sent as null, which is a value there."""

    __slots__ = ("nulls",)
    nulls: frozenset[str]


def read_record(message: Any) -> Record:
    """Return the fields of a message, with None for what is not set; in JSON they look as those of its resource.

    For whoever shows what the jobstore answers and trusts it: no value is checked. JSON must have been sent as text.
    """
    match message:
        case jobs_pb.CreateJobResponse() | jobs_pb.UpdateJobResponse():
            return _join(message.job, warnings=message.warnings)
        case judges_pb.PutJudgePolicyResponse():
            return _join(message.policy, version=message.version, warnings=message.warnings)
        case judges_pb.PutCriteriaSetResponse():
            return _join(message.set, version=message.version, warnings=message.warnings)
    values = read_with(message, read_record)
    if message.DESCRIPTOR.file is _VERDICT.file:
        return _Sparse(**{name: value for name, value in values.items() if name != "stages" or value})
    names = [name for name in message.DESCRIPTOR.fields_by_name if not name.endswith(_JSON)]
    if isinstance(message, pb.Policy | pb.JobLog):  # whose lists are not empty unless they are not set
        fields = message.DESCRIPTOR.fields_by_name
        values = {name: value for name, value in values.items() if value != [] or not fields[name].is_repeated}
    record = Record(**dict.fromkeys(names) | values)
    record.nulls = frozenset(name for name, value in values.items() if value is None)
    return record


class _Sparse(Record):
    """A record whose JSON leaves out what is not set; by its attributes that is None, as of any other."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def _join(message: Any, **others: Any) -> Record:
    """Return the record of a message with what was sent beside it: numbers, and the records of lists."""
    beside = {name: each if isinstance(each, int) else _read_all(each) for name, each in others.items()}
    record = read_record(message)
    vars(record).update(beside)
    return record


def _read_all(messages: Any) -> list[Record]:
    return [read_record(message) for message in messages]
