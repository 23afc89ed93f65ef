"""The catalogue has every promise of the tree; what breaks one is refused in words, what adds one is not."""

import copy
import dataclasses
import functools
import json
import types
from collections.abc import Callable
from datetime import timedelta
from enum import IntEnum
from itertools import chain
from typing import Any, Self

import pytest
from google.protobuf.descriptor_pb2 import EnumValueDescriptorProto, FieldDescriptorProto

from cli.__main__ import load_command
from cli.errors import ExitStatus
from contracts.topics import TOPICS
from promises.__main__ import (
    CATALOGUE,
    DOCUMENT,
    ROOT,
    SETTINGS,
    compare,
    main,
    read_files,
    read_headers,
    read_releases,
    read_schemas,
    read_tree,
    read_version,
    release,
    render,
)
from promises.catalogue import (
    Promise,
    parse,
    read_codes,
    read_commands,
    read_events,
    read_grpc,
    read_python,
    read_rest,
    read_variables,
)
from promises.comparing import Break, find_breaks
from signoff.errors import Answer, ErrorCode

Change = Callable[[Any], object]


def read_client(module: Any) -> list[Promise]:
    """Read a package like the client's."""
    return list(read_python(module))


class Client:
    """What a package exports."""

    async def get_job(self, job_id: str, *, timeout_s: float | None = None) -> dict[str, str]:
        raise NotImplementedError

    def wait(self, job_id: str) -> None:
        raise NotImplementedError


def package(client: type = Client) -> Any:
    return types.SimpleNamespace(__all__=["Client"], Client=client)


#: What declares the promises of the tree: how it is read.
MAKERS: dict[str, Callable[[], Any]] = {
    "files": read_files,
    "document": lambda: json.loads(DOCUMENT.read_text("utf-8")),
    "schemas": read_schemas,
    "topics": lambda: dict(TOPICS),
    "headers": read_headers,
    "codes": lambda: {code: code for code in ErrorCode},
    "settings": lambda: {name: kind.model_json_schema() for name, kind in SETTINGS.items()},
    "commands": lambda: {"jobs": load_command("jobs")},
    "statuses": lambda: list(ExitStatus),
    "module": package,
}
#: Each reader of promises, and what it reads.
READERS: list[tuple[Callable[..., Any], list[str]]] = [
    (read_grpc, ["files"]),
    (read_rest, ["document"]),
    (lambda schemas, topics, names: read_events(schemas, topics.values(), names, ()), ["schemas", "topics", "headers"]),
    (lambda codes: read_codes(codes.values()), ["codes"]),
    (lambda settings: read_variables(settings, ()), ["settings"]),
    (lambda commands, statuses: read_commands("signoff", commands, statuses), ["commands", "statuses"]),
    (read_python, ["module"]),
]


class Declared:
    """What declares the promises of the tree, to be changed: each part is made anew once it is asked for."""

    def __getattr__(self, name: str) -> Any:
        self.__dict__[name] = MAKERS[name]()
        return self.__dict__[name]

    def read(self, before: dict[int, list[Promise]]) -> dict[int, list[Promise]]:
        """Return the promises by their reader: those from before where nothing that it reads was asked for."""
        touched = set(self.__dict__)
        return {
            at: list(reader(*(getattr(self, part) for part in parts)))
            if touched.intersection(parts) or not before
            else before[at]
            for at, (reader, parts) in enumerate(READERS)
        }

    def message(self, name: str) -> Any:
        return next(each for file in self.files for each in file.message_type if each.name == name)

    def field(self, message: str, name: str) -> Any:
        return next(each for each in self.message(message).field if each.name == name)

    def enum(self, name: str) -> Any:
        return next(each for file in self.files for each in file.enum_type if each.name == name)

    def drop(self, items: Any, name: str) -> None:
        del items[next(at for at, each in enumerate(items) if each.name == name)]

    def schema(self, name: str) -> Any:
        return self.document["components"]["schemas"][name]

    def option(self, command: str, name: str) -> Any:
        group = copy.copy(self.commands["jobs"])
        group.commands = dict(group.commands)
        group.commands[command] = copy.copy(group.commands[command])
        group.commands[command].params = [copy.copy(each) for each in group.commands[command].params]
        self.commands["jobs"] = group
        return next(each for each in group.commands[command].params if each.name == name)


def drop_call(declared: Declared) -> None:
    service = next(each for file in declared.files for each in file.service if each.name == "JobService")
    declared.drop(service.method, "CancelJob")


def drop_option(declared: Declared) -> None:
    option = declared.option("list", "tenant")
    declared.commands["jobs"].commands["list"].params.remove(option)


def answer_code(declared: Declared, answer: Answer) -> None:
    declared.codes["unknown_job"] = _Code("unknown_job", answer)


class _Code(str):
    answer: Answer
    __slots__ = ("answer",)

    def __new__(cls, code: str, answer: Answer) -> Self:
        made = str.__new__(cls, code)
        made.answer = answer
        return made


class OtherClient:
    async def get_job(self, job_id: str, tenant: str, *, timeout_s: float | None = None) -> dict[str, str]:
        raise NotImplementedError

    def wait(self, job_id: str) -> None:
        raise NotImplementedError


class SilentClient:
    async def get_job(self, job_id: str, *, timeout_s: float | None = None) -> dict[str, str]:
        raise NotImplementedError


class WiderClient:
    async def get_job(
        self, job_id: str, *, timeout_s: float | str | None = None, fresh: bool = False
    ) -> dict[str, str]:
        raise NotImplementedError

    def wait(self, job_id: str) -> None:
        raise NotImplementedError

    def count(self) -> int:
        raise NotImplementedError


class OtherStatus(IntEnum):
    DONE = 0
    NOT_MET = 1
    USAGE = 2
    REFUSED = 5
    OUT_OF_REACH = 4


#: By what is done, the words of what is refused.
BREAKS: dict[str, tuple[Change, str]] = {
    "a field of an answer of gRPC is gone": (
        lambda it: it.drop(it.message("Job").field, "title"),
        "grpc.answer Job.title: is no more",
    ),
    "a field has another number": (
        lambda it: setattr(it.field("CreateJobRequest", "idempotency_key"), "number", 9),
        "grpc.request CreateJobRequest.idempotency_key: its `number` is another (2, now 9)",
    ),
    "a field has another type": (
        lambda it: setattr(it.field("JobLog", "attempt"), "type", FieldDescriptorProto.TYPE_STRING),
        "grpc.answer JobLog.attempt: its `type` is wider (int32, now string)",
    ),
    "a word of gRPC is gone": (
        lambda it: it.drop(it.enum("JobStatus").value, "JOB_STATUS_REJECTED"),
        "grpc.word JobStatus.JOB_STATUS_REJECTED: is no more",
    ),
    "a call is gone": (drop_call, "grpc.call signoff.v1.JobService.CancelJob: is no more"),
    "a route is gone": (
        lambda it: it.document["paths"]["/api/jobs/{job_id}"].pop("patch"),
        "rest.route PATCH /api/jobs/{job_id}: is no more",
    ),
    "a parameter is gone": (
        lambda it: it.document["paths"]["/api/jobs"]["get"]["parameters"].pop(0),
        "rest.request GET /api/jobs query:view: is no more",
    ),
    "a member of an answer of REST is gone": (
        lambda it: it.schema("Job")["properties"].pop("payload"),
        "rest.answer Job.payload: is no more",
    ),
    "a member of an answer is not always there": (
        lambda it: it.schema("Verdict")["required"].remove("criteria"),
        "rest.answer Verdict.criteria: its `required` has gone: it may be missing (so, now not there)",
    ),
    "a member of a request has to be given": (
        lambda it: it.schema("NewJob")["required"].append("payload"),
        "rest.request NewJob.payload: its `required` is new: it must be given (not there, now so)",
    ),
    "a new member has to be given": (
        lambda it: it.schema("NewJob").update(
            properties={**it.schema("NewJob")["properties"], "owner": {"type": "string"}}, required=["title", "owner"]
        ),
        "rest.request NewJob.owner: is new, and must be given: those who do not know it are refused",
    ),
    "a bound of a request is narrower": (
        lambda it: it.schema("NewJob")["properties"]["title"].update(maxLength=400),
        "rest.request NewJob.title: its `max_length` is narrower (500, now 400)",
    ),
    "a word of a request of REST is gone": (
        lambda it: it.schema("JobStatus")["enum"].remove("REJECTED"),
        "rest.request.word JobStatus.REJECTED: is no more",
    ),
    "a header of an answer is gone": (
        lambda it: it.document["paths"]["/api/jobs"]["post"]["responses"]["200"].pop("headers"),
        "rest.answer POST /api/jobs 200 header:Idempotency-Replayed: is no more",
    ),
    "a topic is gone": (lambda it: it.topics.pop("job-changed"), "topic job-changed: is no more"),
    "a topic is kept for a shorter time": (
        lambda it: it.topics.update(
            {"cancel-requested": dataclasses.replace(TOPICS["cancel-requested"], retention=timedelta(days=1))}
        ),
        "topic cancel-requested: its `retention_days` is shorter (7, now 1)",
    ),
    "a member of an event is gone": (
        lambda it: it.schemas["agent-changed"]["properties"].pop("cursor"),
        "event.answer agent-changed.cursor: is no more",
    ),
    "a code is gone": (lambda it: it.codes.pop("unknown_job"), "code unknown_job: is no more"),
    "a code has another status": (
        lambda it: answer_code(it, Answer("NOT_FOUND", 410)),
        "code unknown_job: its `http` is another (404, now 410)",
    ),
    "a variable is gone": (
        lambda it: it.settings["console"]["properties"].pop("viewers_max"),
        "variable console SIGNOFF_VIEWERS_MAX: is no more",
    ),
    "a variable has to be set": (
        lambda it: it.settings["executor"].update(required=["kafka"]),
        "variable executor SIGNOFF_KAFKA: its `required` is new: it must be given (not there, now so)",
    ),
    "a variable's default is another": (
        lambda it: it.settings["jobstore"]["properties"]["max_calls"].update(default=5),
        "variable jobstore SIGNOFF_MAX_CALLS: its `default` is another (3, now 5)",
    ),
    "an option is gone": (drop_option, "cli.option signoff jobs list --tenant: is no more"),
    "an option has to be given": (
        lambda it: setattr(it.option("create", "title"), "required", True),
        "cli.option signoff jobs create --title: its `required` is new: it must be given (not there, now so)",
    ),
    "an exit status is another": (
        lambda it: setattr(it, "statuses", list(OtherStatus)),
        "cli.status REFUSED: its `number` is another (3, now 5)",
    ),
    "a call of the client is gone": (
        lambda it: setattr(it, "module", package(SilentClient)),
        "python.call Client.wait: is no more",
    ),
    "a call of the client wants more": (
        lambda it: setattr(it, "module", package(OtherClient)),
        "python.parameter Client.get_job tenant: is new, and must be given: those who do not know it are refused",
    ),
}


def add_route(declared: Declared) -> None:
    declared.document["components"]["schemas"]["NewTeam"] = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    }
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewTeam"}}}}
    declared.document["paths"]["/api/teams"] = {
        "post": {"operationId": "create_team", "requestBody": body, "responses": {"201": {}}}
    }


def widen_parameter(declared: Declared) -> None:
    given = declared.document["paths"]["/api/jobs"]["get"]["parameters"]
    given.append({"name": "owner", "in": "query", "schema": {"type": "string"}})


ADDITIONS: dict[str, Change] = {
    "a field of gRPC": lambda it: it.message("Job").field.append(
        FieldDescriptorProto(name="owner", number=99, type=FieldDescriptorProto.TYPE_STRING, label=1)
    ),
    "a word of gRPC": lambda it: it.enum("JobStatus").value.append(
        EnumValueDescriptorProto(name="JOB_STATUS_HELD", number=99)
    ),
    "a route whose body has to be given": add_route,
    "a parameter": widen_parameter,
    "a member of an answer that is always there": lambda it: (
        it.schema("Job")["properties"].update(owner={"type": "string"}),
        it.schema("Job").setdefault("required", []).append("owner"),
    ),
    "a member of a request": lambda it: it.schema("NewJob")["properties"].update(owner={"type": "string"}),
    "a wider bound, and one that is gone": lambda it: (
        it.schema("NewJob")["properties"]["title"].update(maxLength=900),
        it.schema("NewJob")["properties"]["title"].pop("minLength"),
    ),
    "a word of REST": lambda it: it.schema("JobStatus")["enum"].append("HELD"),
    "a topic, and one that is kept longer": lambda it: it.topics.update(
        {
            "team-changed": dataclasses.replace(TOPICS["agent-changed"], name="agent-changed", partitions=8),
            "cancel-requested": dataclasses.replace(TOPICS["cancel-requested"], retention=timedelta(days=30)),
        }
    ),
    "a member of an event": lambda it: (
        it.schemas["agent-changed"]["properties"].update(reason={"type": "string"}),
        it.schemas["execute-requested"]["properties"].update(reason={"type": "string"}),
    ),
    "a code": lambda it: it.codes.update(new_one=_Code("new_one", Answer("NOT_FOUND", 404))),
    "a variable": lambda it: it.settings["console"]["properties"].update(new={"type": "string", "default": ""}),
    "an option that need not be given": lambda it: setattr(it.option("list", "tenant"), "opts", ["--tenant", "--of"]),
    "a call and a parameter of the client, and a wider type": lambda it: setattr(it, "module", package(WiderClient)),
    "a topic between our own services is gone": lambda it: it.topics.pop("result-produced"),
    "what has to be given need not be": lambda it: it.schema("NewJob").pop("required"),
}


@functools.cache
def read_before() -> dict[int, list[Promise]]:
    return Declared().read({})


def change(how: Change) -> tuple[list[Promise], list[Promise]]:
    """Return the promises before and after a change."""
    declared = Declared()
    how(declared)
    return [*chain(*read_before().values())], [*chain(*declared.read(read_before()).values())]


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_a_promise_is_refused_with_its_words(name: str) -> None:
    how, words = BREAKS[name]
    assert words in [str(each) for each in find_breaks(*change(how))]


@pytest.mark.parametrize("name", ADDITIONS)
def test_what_adds_a_promise_or_widens_one_is_accepted(name: str) -> None:
    before, after = change(ADDITIONS[name])
    assert sorted(map(str, after)) != sorted(map(str, before))
    assert [str(each) for each in find_breaks(before, after)] == []


def test_only_what_is_deprecated_ends_with_a_major_version() -> None:
    job = [Promise("code", name, facts) for name, facts in (("old", {"deprecated": ""}), ("kept", {}))]
    first, second = (Promise("product", "version", {"major": major}) for major in "12")
    assert len(list(find_breaks([first, *job], [first]))) == len(job)
    assert [each.before.subject for each in find_breaks([first, *job], [second])] == ["kept"]


def test_a_line_of_the_catalogue_is_read_as_it_was_written() -> None:
    promises = list(read_tree())
    again = [parse(str(promise)) for promise in promises]
    assert [(one, one.facts) for one in again] == [(one, one.facts) for one in promises]
    assert len({(one.kind, one.subject) for one in promises}) == len({str(one) for one in promises})
    assert list(find_breaks(promises, again)) == list[Break]()


def test_the_catalogue_is_that_of_the_tree() -> None:
    assert (ROOT / CATALOGUE).read_text("utf-8") == render(), "run `make proto`"


def test_contracts_are_compared_with_a_revision(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.argv", ["contracts", "--against", "no-such-revision"])
    assert main() == 2
    assert "no promises of no-such-revision" in capsys.readouterr().out


def test_the_promises_of_all_releases_are_kept() -> None:
    assert compare(read_releases(), read_version()) == 0


def test_a_tree_that_breaks_a_promise_of_any_release_is_refused(capsys: Any) -> None:
    releases = {"0.2.0": f"{render()}code no_more\n", "0.3.0": render()}
    assert compare(releases, "0.3.0") == release("0.4.0", releases) == 1
    assert capsys.readouterr().out.startswith("code no_more: is no more\n")


def test_nothing_is_compared_with_nothing_and_what_is_released_stays() -> None:
    assert [compare(each, "0.3.0") for each in ({}, {"0.2.0": render()}, {"0.3.0": ""})] == [2, 2, 2]
    assert release("0.2.0", {"0.2.0": ""}) == 2
