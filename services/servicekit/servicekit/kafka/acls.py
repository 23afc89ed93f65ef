"""Make users and ACLs at brokers, and read the ACLs that are there; aiokafka has no methods for that."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, SecurityDisabled, for_code
from aiokafka.protocol.admin import CreateAclsRequest_v1, DescribeAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from contracts.grants import Grant, Operation, Resource
from servicekit.errors import RefusedError
from servicekit.kafka.access import KafkaAccess
from signoff.errors import ErrorCode

_RESOURCES: Final = {Resource.TOPIC: 2, Resource.GROUP: 3, Resource.CLUSTER: 4}
_OPERATIONS: Final = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DELETE: 6,
    Operation.ALTER: 7,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
    Operation.ALTER_CONFIGS: 11,
}
_ANY: Final = 1
_LITERAL: Final = 3
_PREFIXED: Final = 4
_ALLOW: Final = 3
_PRINCIPAL: Final = "User:"
_SCRAM_SHA_512: Final = 2
#: Rounds of a hash that whoever steals a broker's files spends on each guess; what Kafka's own tools take.
_ROUNDS: Final = 4096
#: Seconds that brokers may take to know new ACLs.
KNOWN_WITHIN_S: Final = 10.0


class _CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 30

    def __init__(self, acls: Sequence[tuple[Any, ...]]) -> None:
        self._acls = acls

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(self._acls)


class _DescribeAcls(Request[DescribeAclsRequest_v1]):  # type: ignore[misc] # same
    API_KEY = 29

    def build(self, request_struct_class: type[DescribeAclsRequest_v1]) -> DescribeAclsRequest_v1:
        return request_struct_class(_ANY, None, _ANY, None, None, _ANY, _ANY)


class _AlterUsersResponse(Response):  # type: ignore[misc] # same
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterUsersRequest(RequestStruct):  # type: ignore[misc] # same
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _AlterUsersResponse
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterUsers(Request[_AlterUsersRequest]):  # type: ignore[misc] # same
    API_KEY = 51

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords

    def build(self, request_struct_class: type[_AlterUsersRequest]) -> _AlterUsersRequest:
        return request_struct_class([], [_salt(*pair) for pair in self._passwords.items()], {})


def _salt(user: str, password: str) -> tuple[Any, ...]:
    salt = secrets.token_bytes(32)
    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return user, _SCRAM_SHA_512, _ROUNDS, salt, salted, {}


async def make_users(kafka: KafkaAccess, passwords: Mapping[str, str]) -> None:
    """Make users that brokers know by SCRAM-SHA-512, or give those that are there these passwords.

    Brokers know them before any ACL that is made afterwards. Raise TransientError, as a RefusedError if the user of
    `kafka` may not.
    """
    admin = kafka.make_admin(client_id="signoff-users", request_timeout_ms=int(KNOWN_WITHIN_S * 1000))
    try:
        await admin.start()
        answer = await admin._send_request(_AlterUsers(passwords))  # noqa: SLF001 - as below
        for user, code, message, _ in answer.results:
            if code:
                raise for_code(code)(f"{user}: {message}")
    except (KafkaError, OSError) as error:
        raise await kafka.explain(error) from error
    finally:
        await admin.close()


async def apply_grants(kafka: KafkaAccess, grants: Iterable[Grant]) -> int:
    """Make the ACLs of grants that are missing; return how many, once each broker knows them.

    Raise TransientError, as a RefusedError if the user of `kafka` may not, or the brokers have no authorizer.
    """
    admin = kafka.make_admin(client_id="signoff-acls", request_timeout_ms=int(KNOWN_WITHIN_S * 1000))
    try:
        await admin.start()
        wanted = set(grants)
        made = set[Grant]()
        async with asyncio.timeout(KNOWN_WITHIN_S):
            while missing := wanted - await _read_everywhere(admin):  # also what was there, and is being removed
                if new := sorted(missing - made):
                    await _create(admin, new)
                    made |= missing
                await asyncio.sleep(0.02)
    except SecurityDisabled as error:
        message = "the brokers have no authorizer: set authorizer.class.name at them (docs/operations/kafka.md)"
        raise RefusedError(message, code=ErrorCode.KAFKA_FORBIDDEN) from error
    except (KafkaError, OSError) as error:
        raise await kafka.explain(error) from error
    finally:
        await admin.close()
    return len(made)


async def read_grants(admin: AIOKafkaAdminClient) -> set[Grant] | None:
    """Return the grants whose ACLs all brokers have; None if brokers have no authorizer. Raise KafkaError."""
    try:
        return await _read_everywhere(admin)
    except SecurityDisabled:
        return None


async def _create(admin: AIOKafkaAdminClient, grants: Sequence[Grant]) -> None:
    acls = [
        (
            _RESOURCES[grant.resource],
            grant.name,
            _PREFIXED if grant.is_prefix else _LITERAL,
            f"{_PRINCIPAL}{grant.user}",
            "*",
            _OPERATIONS[grant.operation],
            _ALLOW,
        )
        for grant in grants
    ]
    answer = await admin._send_request(_CreateAcls(acls))  # noqa: SLF001 - it has no other way, as below
    for grant, (code, message) in zip(grants, answer.creation_responses, strict=True):
        if code:
            raise for_code(code)(f"{grant}: {message}")


async def _read_everywhere(admin: AIOKafkaAdminClient) -> set[Grant]:
    """Return the grants whose ACLs all brokers know."""
    nodes = [broker["node_id"] for broker in (await admin.describe_cluster())["brokers"]]
    read = [await _read(admin, node) for node in nodes]
    return set.intersection(*read) if read else set()


async def _read(admin: AIOKafkaAdminClient, node: int) -> set[Grant]:
    answer = await admin._send_request(_DescribeAcls(), node)  # noqa: SLF001
    if answer.error_code:
        raise for_code(answer.error_code)(answer.error_message)
    resources = {number: resource for resource, number in _RESOURCES.items()}
    operations = {number: operation for operation, number in _OPERATIONS.items()}
    return {
        Grant(
            principal.removeprefix(_PRINCIPAL),
            operations[operation],
            resources[kind],
            name,
            is_prefix=form == _PREFIXED,
        )
        for kind, name, form, acls in answer.resources
        for principal, host, operation, permission in acls
        if kind in resources and operation in operations and (host, permission) == ("*", _ALLOW)
    }
