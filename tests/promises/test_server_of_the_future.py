"""A server of the future answers with words, fields, kinds and codes that nobody knows yet: nothing raises.

What is not known is shown as text. tests/console has the same of REST, and the page of its views.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.descriptor import MethodDescriptor
from support.fake_jobstore import TOKEN
from support.future import AN_ID, NEW_NUMBER, NEW_WORD, UNKNOWN, answer_anew, jobstore_of_the_future, list_calls
from typer.testing import CliRunner

from cli.__main__ import app
from cli.output import to_json
from contracts.receipts import PublicKeys
from contracts.topics import TOPIC_OF
from promises.__main__ import ROOT, read_schemas
from servicekit.leasing.client import GrpcLeases, read_denial
from servicekit.leasing.worker import LeaseState
from signoff.types import MODELS, read_model
from signoff.v1 import resources_pb2 as pb
from signoff.wire import read_record
from signoff.worker.v1 import work_service_pb2 as work_pb

COMMANDS = [
    *(f"jobs {verb} {AN_ID}" for verb in ("get", "show", "logs", "explain", "execute", "resubmit", "cancel")),
    f"jobs show {AN_ID} --full",
    f"jobs assign {AN_ID} {AN_ID}",
    "jobs create --title t --criteria c",
    *("jobs list", "jobs count", "jobs facets status", "explain", "overview"),
    *("agents list", f"agents get {AN_ID}", f"agents disable {AN_ID}", f"executions get {AN_ID}"),
    *("batches list", f"batches get {AN_ID}", f"batches pause {AN_ID}", "bulk list", f"bulk get {AN_ID}"),
    *("limits list", "limits get tenant:a", "judges list", "judges show strict", "criteria list", "criteria show a"),
    *("dlq list", f"receipt {AN_ID}", "receipt keys"),
]
#: What shows nothing that has words of an enumeration.
WORDLESS = ("jobs count", "jobs facets", "explain", "limits", "judges", "criteria", "receipt", "overview")


def env_of(address: str) -> dict[str, str]:
    return {"SIGNOFF_JOBSTORE": address, "SIGNOFF_TOKEN": TOKEN, "COLUMNS": "250"}


@pytest.mark.parametrize("call", list_calls(), ids=lambda call: call.name)
def test_each_answer_is_read_as_a_record_and_written_as_json(call: MethodDescriptor) -> None:
    answer = answer_anew(call.output_type)
    shown = to_json(read_record(answer))
    assert shown.count(UNKNOWN) == str(answer).count(f": {NEW_NUMBER}\n")


@pytest.mark.parametrize("name", MODELS)
def test_each_model_of_the_client_reads_one_and_itself_again(name: str) -> None:
    message = next(each for each in find_messages() if each.name == name)
    model = read_model(answer_anew(message))
    text = model.model_dump_json()
    new = json.loads(text) | {"new": [1]}
    assert type(model).model_validate_json(json.dumps(new)).model_dump_json() == text


def find_messages() -> Iterator[Any]:
    for call in list_calls():
        yield from call.output_type.file.message_types_by_name.values()
    yield from pb.DESCRIPTOR.message_types_by_name.values()


@pytest.mark.parametrize("form", ["", " --json"], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS)
async def test_no_command_raises(command: str, form: str) -> None:
    async with jobstore_of_the_future() as address:
        words = (command + form).split()
        ran = await asyncio.to_thread(CliRunner().invoke, app, words, env=env_of(address))
    assert ran.exit_code == 0, (ran.exception, ran.stderr)
    assert UNKNOWN in ran.stdout.upper() or any(
        command.startswith(each) or f" {each.removeprefix('jobs ')} " in command for each in WORDLESS
    )


@pytest.mark.parametrize("command", ["watch", f"jobs watch {AN_ID}"])
async def test_nor_does_a_watch(command: str) -> None:
    async with jobstore_of_the_future() as address:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *command.split(), "--json"),
            env=env_of(address),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert UNKNOWN.encode() in await process.stdout.readline()
        process.terminate()
        await process.communicate()


def of_the_future(value: Any, schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Any:
    """Return a value with a new word in each enumeration that a schema says, and a new member in each object."""
    if "$ref" in schema:
        return of_the_future(value, parts[schema["$ref"].rpartition("/")[2]], parts)
    for each in schema.get("anyOf", ()):
        if each.get("type") != "null" and value is not None:
            return of_the_future(value, each, parts)
    if "x-extensible-enum" in schema or "enum" in schema:
        return NEW_WORD
    if isinstance(value, list):
        return [of_the_future(each, schema.get("items", {}), parts) for each in value]
    if isinstance(value, dict) and "properties" in schema:
        members = schema["properties"]
        return {name: of_the_future(each, members.get(name, {}), parts) for name, each in value.items()} | {"new": [1]}
    return value


def facts() -> Iterator[Any]:
    topics = {topic: event for event, topic in TOPIC_OF.items()}
    for path in sorted((ROOT / "proto/examples").glob("*/*.json")):
        topic = path.parent.name.removesuffix(".v1")
        if topic.endswith(("-changed", "-refused")):
            yield pytest.param(topics[topic], topic, path, id=f"{topic}/{path.stem}")


@pytest.mark.parametrize(("event", "topic", "path"), list(facts()))
def test_facts_are_read(event: Any, topic: str, path: Path) -> None:
    schema = read_schemas()[topic]
    told = of_the_future(json.loads(path.read_text("utf-8")), schema, schema.get("$defs", {}))
    read = event.model_validate_json(json.dumps(told))
    assert read.event_id
    assert read.model_dump_json().count(NEW_WORD) == json.dumps(told).count(NEW_WORD)


def test_a_key_of_another_algorithm_verifies_nothing() -> None:
    known = {"keyid": "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925", "public_key": "A" * 43 + "="}
    new = {"keyid": "a", "algorithm": "new", "public_key": "bmV3"}
    keys = PublicKeys.parse(json.dumps({"items": [known, new]}).encode())
    assert [key.algorithm for key in keys] == ["ed25519", "new"]
    assert not keys.find("a").has_signed(b"", b"")


def test_a_claim_with_an_unknown_outcome_is_left_to_the_jobstore() -> None:
    denied = read_denial(work_pb.ExecutionAnswer(outcome=NEW_NUMBER, code="a_new_code"), "job")
    assert (denied.outcome, denied.code, denied.to_error()) == ("QUEUED", "a_new_code", None)


async def test_a_lease_in_an_unknown_state_is_given_up_and_an_outcome_is_asked_for_again() -> None:
    class Stub:
        async def RenewLeases(self, *_: object, **__: object) -> Any:  # noqa: N802 - gRPC's
            return work_pb.RenewLeasesResponse(held=[NEW_NUMBER], outcomes=[NEW_NUMBER], lease_s=15.0)

    leases: Any = GrpcLeases(Stub(), work_pb.WORK_KIND_EXECUTING, TOKEN, 1)  # type: ignore[arg-type]
    renewal = await leases.renew(UUID(AN_ID), 1, [], [], [])
    assert (renewal.held, renewal.outcomes) == ([LeaseState.LOST], [LeaseState.KEEP])


def test_each_enumeration_of_gRPC_begins_with_what_is_not_set() -> None:  # noqa: N802
    """So an old reader meets a number that it does not know, and never another word."""
    assert {enum.values[0].name.rpartition("_")[2] for enum in pb.DESCRIPTOR.enum_types_by_name.values()} == {
        "UNSPECIFIED"
    }
