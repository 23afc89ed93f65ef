"""A jobstore of the future: it answers each call with words, codes and fields that nobody knows yet."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

import signoff.v1

NEW_NUMBER: Final = 77
#: A word that is not known, as clients show it; a code or an outcome that is told as text.
UNKNOWN, NEW_CODE, NEW_WORD = f"UNKNOWN_{NEW_NUMBER}", "a_new_code", "A_NEW_WORD"
AN_ID: Final = "0197a0a0-0000-7000-8000-000000000001"
#: Field 1,000 with the text "new": what a message has that was sent by a newer server.
_NEW_FIELD: Final = b"\xc2\x3e\x03new"
#: Texts that have a form of their own, by the name of their field.
_TEXTS: Final = {
    "url": "http://agent",
    "next_page_token": "",
    "code": NEW_CODE,
    "owner": "someone_new",
    "actor": "someone:new",
    "field": "status",
    "envelope_json": '{"payload": "e30=", "payloadType": "new", "signatures": []}',
    "policy_json": '{"name": "strict", "stages": [{"kind": "judge", "judges": [{"model": "m"}]}], "new": 1}',
    "judge_policy_json": '{"name": "strict", "stages": [{"kind": "judge", "judges": [{"model": "m"}]}], "new": 1}',
    "cases_hash": "0" * 64,
    "public_key": "a" * 43 + "=",
}
_NUMBERS: Final = {
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_BYTES: b"new",
    FieldDescriptor.TYPE_DOUBLE: 0.5,
    FieldDescriptor.TYPE_ENUM: NEW_NUMBER,
}


def list_calls() -> list[MethodDescriptor]:
    """Return the calls that are promised to all."""
    folder = Path(signoff.v1.__path__[0])
    files = [import_module(f"signoff.v1.{path.stem}_pb2").DESCRIPTOR for path in sorted(folder.glob("*.proto"))]
    return [call for file in files for service in file.services_by_name.values() for call in service.methods]


def answer_anew(message: Descriptor) -> Any:
    """Return a message with something in each field, and in each enumeration a word that is not known."""
    made = GetMessageClass(message)()
    for field in message.fields:
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            key, value = field.message_type.fields
            is_text = key.type == FieldDescriptor.TYPE_STRING
            getattr(made, field.name)[NEW_WORD if is_text else 1] = _value_of(value)
        elif field.message_type is not None and field.message_type.full_name == "google.protobuf.Value":
            continue  # JSON is asked for as text
        elif field.is_repeated:
            items = getattr(made, field.name)
            items.extend([_value_of(field), _value_of(field)])
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(_value_of(field))
        else:
            setattr(made, field.name, _value_of(field))
    made.MergeFromString(_NEW_FIELD)
    return made


def _value_of(field: FieldDescriptor) -> Any:
    if field.message_type is None:
        is_text = field.type == FieldDescriptor.TYPE_STRING
        return _text_of(field.name) if is_text else _NUMBERS.get(field.type, 3)
    made = GetMessageClass(field.message_type)()
    if field.message_type.full_name == "google.protobuf.Timestamp":
        made.FromDatetime(datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
        return made
    return answer_anew(field.message_type)


def _text_of(name: str) -> str:
    if name in _TEXTS:
        return _TEXTS[name]
    if name.endswith("_json"):
        return '{"new": [1]}'
    if "usd" in name.split("_"):
        return "0.0123"
    return AN_ID if name == "id" or name.endswith(("_id", "_ids", "_by", "_of")) else "a text"


class _Answers(grpc.GenericRpcHandler):
    """Answers each call once, and a stream with one message; a watch of all jobs never ends: its cursor came again."""

    def __init__(self, calls: Iterable[MethodDescriptor]) -> None:
        self._calls = {f"/{call.containing_service.full_name}/{call.name}": call for call in calls}

    def service(self, details: Any) -> Any:
        call = self._calls.get(details.method)
        if call is None:
            return None
        answer = answer_anew(call.output_type).SerializeToString()

        async def one(_request: bytes, _context: Any) -> bytes:
            return answer

        async def many(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
            yield answer
            if call.name == "WatchJobs":
                await asyncio.Event().wait()

        if call.server_streaming:
            return grpc.unary_stream_rpc_method_handler(many)
        return grpc.unary_unary_rpc_method_handler(one)


@asynccontextmanager
async def jobstore_of_the_future() -> AsyncIterator[str]:
    """Run it, and return its address."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Answers(list_calls()),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)
