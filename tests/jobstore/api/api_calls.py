"""Calls of the jobstore's gRPC services as a client makes them, and what they are refused with."""

from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from signoff.status import Role
from signoff.v1 import job_service_pb2 as jobs_pb

Status = grpc.StatusCode
ADMINISTRATOR = (("authorization", "Bearer the-administrators"),)
EXECUTOR = (("authorization", "Bearer an-executors"),)
VALIDATOR = (("authorization", "Bearer a-validators"),)
TOKENS = {
    Role.ADMINISTRATOR: ["the-administrators", "the-administrators-next"],
    Role.EXECUTOR: ["an-executors"],
    Role.VALIDATOR: ["a-validators"],
}
PAYLOAD_MAX = 10_000
JOB = {"title": "A title", "acceptance_criteria": 'Says "blue"', "agent_id": "writer"}


def create(**fields: Any) -> jobs_pb.CreateJobRequest:
    return json_format.ParseDict({"job": {**JOB, **fields}}, jobs_pb.CreateJobRequest())


async def refused(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """The status, stable code and message of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    code = dict(error.trailing_metadata() or ()).get("signoff-code", "")
    return error.code(), str(code), error.details() or ""
