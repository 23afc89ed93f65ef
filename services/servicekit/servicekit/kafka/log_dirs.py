"""Ask brokers how much of their disks is free (DescribeLogDirs, which aiokafka does not have)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_TOPIC = ("name", CompactString("utf-8"))
_TAGS = ("tags", TaggedFields)
_PARTITION: Array = CompactArray(("partition", Int32), ("size", Int64), ("lag", Int64), ("is_future", Boolean), _TAGS)


class _LogDirsResponse(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 35
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "dirs",
            CompactArray(
                ("error_code", Int16),
                ("path", CompactString("utf-8")),
                ("topics", CompactArray(_TOPIC, ("partitions", _PARTITION), _TAGS)),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _LogDirsStruct(RequestStruct):  # type: ignore[misc] # same
    FLEXIBLE_VERSION = True
    API_KEY = 35
    API_VERSION = 4
    RESPONSE_TYPE = _LogDirsResponse
    SCHEMA = Schema(("topics", CompactArray(_TOPIC, ("partitions", CompactArray(Int32)), _TAGS)), _TAGS)


class _LogDirsRequest(Request[_LogDirsStruct]):  # type: ignore[misc] # same
    API_KEY = 35

    def build(self, request_struct_class: type[_LogDirsStruct]) -> _LogDirsStruct:
        return request_struct_class([], {})  # of no topic: the folders alone


class LogDir(NamedTuple):
    """A folder of a broker's logs, and how many bytes are free on its disk."""

    broker: int
    path: str
    free_bytes: int


async def list_log_dirs(admin: AIOKafkaAdminClient) -> Sequence[LogDir]:
    """Return the folders of all brokers; of one before Kafka 3.3, or that does not let us know, none. KafkaError."""
    found: list[LogDir] = []
    for broker in (await admin.describe_cluster())["brokers"]:
        try:
            response: Any = await admin._send_request(_LogDirsRequest(), broker["node_id"])  # noqa: SLF001 - it has no other way
        except (IncompatibleBrokerVersion, NotImplementedError):  # how aiokafka says that it has none, or an older one
            continue
        found += [
            LogDir(broker["node_id"], path, usable)
            for error, path, _, _, usable, _ in response.dirs
            if not error and usable >= 0
        ]
    return found
