"""What protobuf declares deprecated is found in a call, wherever in its request it stands."""

import json
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from promises.__main__ import CATALOGUE, DOCUMENT, ROOT

from contracts.access import ADMINISTRATORS, Access, Of
from jobstore.access import callers
from jobstore.access.tokens import Tokens
from jobstore.api.server import CallInterceptor, CallLimits
from servicekit.deprecations import DEPRECATIONS, Deprecation, find_in_call
from signoff.status import Role

TEXT, MESSAGE = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE


def declare() -> Any:
    """Declare a service of which a call, and a field of a part of its request, are deprecated; return the request."""
    file = descriptor_pb2.FileDescriptorProto(name="old.proto", package="old.v1", syntax="proto3")
    part = file.message_type.add(name="Part")
    part.field.add(name="age", number=1, type=TEXT, label=1).options.deprecated = True
    part.field.add(name="name", number=2, type=TEXT, label=1)
    asked = file.message_type.add(name="AskRequest")
    asked.field.add(name="parts", number=1, type=MESSAGE, type_name=".old.v1.Part", label=3)
    service = file.service.add(name="OldService")
    for name in ("Ask", "Tell"):
        call = service.method.add(name=name, input_type=".old.v1.AskRequest", output_type=".old.v1.Part")
        call.options.deprecated = name == "Ask"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("old.v1.AskRequest"))


def test_a_call_and_a_field_of_a_part_are_found_where_they_are_used() -> None:
    request = declare()
    assert find_in_call("/old.v1.OldService/Ask", request()) == ["OldService.Ask"]
    assert find_in_call("/old.v1.OldService/Tell", request(parts=[{"name": "a"}, {"age": "b"}])) == ["Part.age"]
    assert find_in_call("/old.v1.OldService/Tell", request(parts=[{"name": "a"}])) == []


def test_what_is_declared_deprecated_has_its_dates_and_nothing_else_has() -> None:
    lines = [line for line in (ROOT / CATALOGUE).read_text("utf-8").splitlines() if " deprecated" in line]
    earlier = [
        f"rest.request {method.upper()} {path} query:{name}: "
        for path, methods in json.loads(DOCUMENT.read_text("utf-8"))["paths"].items()
        for method, operation in methods.items()
        for each in operation.get("parameters", ())
        for name in each.get("x-earlier-names", ())
    ]
    assert all(" sunset=" in line for line in lines)
    declared = {line.partition(" ")[2].partition(": ")[0] for line in lines if not line.startswith(tuple(earlier))}
    assert {name.removeprefix("signoff.v1.") for name in declared} == set(DEPRECATIONS)


async def test_a_call_that_uses_it_is_answered_with_metadata_that_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    request, token = declare(), "an-administrators-token"
    coding = (request.FromString, request.SerializeToString)

    async def answer(asked: Any, _context: Any) -> Any:
        return asked

    handlers = {"Ask": grpc.unary_unary_rpc_method_handler(answer, *coding)}
    monkeypatch.setattr(callers, "ACCESS", {"/old.v1.OldService/Ask": Access(ADMINISTRATORS, Of.ANYBODY)})
    server = grpc.aio.server(interceptors=[CallInterceptor(Tokens({Role.ADMINISTRATOR: [token]}), CallLimits())])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("old.v1.OldService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    dates = Deprecation(datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        told = []
        for known in ({}, {"OldService.Ask": dates}):
            for name, each in known.items():
                monkeypatch.setitem(DEPRECATIONS, name, each)
            ask = channel.unary_unary("/old.v1.OldService/Ask", request.SerializeToString, request.FromString)
            call = ask(request(parts=[{"name": "a"}]), metadata=(("authorization", f"Bearer {token}"),))
            assert (await call).parts[0].name == "a"
            told.append(
                {key: value for key, value in await call.initial_metadata() if key in {"deprecation", "sunset"}}
            )
    await server.stop(None)
    assert told == [{}, {"deprecation": "@1893456000", "sunset": "Wed, 01 Jan 2031 00:00:00 GMT"}]
