"""The doors of what is kept of the jobstore in memory."""

# ruff: noqa: ARG002, N802 - the names and arguments are gRPC's

from datetime import UTC, datetime
from typing import Any

import grpc

from contracts.fields import merge
from contracts.resources import NewRetention, RetentionPatch, patch_of
from signoff.keeping import Kept, RemovedJob, Retention
from signoff.v1 import keeping_service_pb2 as pb
from signoff.v1.keeping_service_pb2_grpc import KeepingServiceServicer
from signoff.wire import read_fields, write_message
from support.fake_operations import Refusal


class FakeKeeping(KeepingServiceServicer):
    """`removed` are the jobs that were removed, by id."""

    retentions: dict[str, Retention]
    removed: dict[str, RemovedJob]

    async def ListRetentions(self, request, context):
        return write_message(pb.ListRetentionsResponse, {"retentions": list(self.retentions.values())})

    async def GetRetention(self, request, context):
        return write_message(pb.GetRetentionResponse, {"retention": self._find(request.name)})

    async def SetRetention(self, request, context):
        retention = self.retentions[request.retention.name] = self._change(request)
        return write_message(pb.SetRetentionResponse, {"retention": retention})

    async def DeleteRetention(self, request, context):
        self._find(request.name)
        del self.retentions[request.name]
        return pb.DeleteRetentionResponse()

    async def PreviewRetention(self, request, context):
        return write_message(pb.PreviewRetentionResponse, {"retention": self._change(request), "now": {}, "later": {}})

    async def GetKept(self, request, context):
        return write_message(pb.GetKeptResponse, Kept(at=datetime.now(UTC), is_on=bool(self.retentions)))

    async def GetRemovedJob(self, request, context):
        if request.job_id not in self.removed:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "unknown_job")
        removed = dict(self.removed[request.job_id])
        return write_message(pb.GetRemovedJobResponse, removed)

    def _find(self, name: str) -> Retention:
        if name not in self.retentions:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "unknown_retention", f"there is no retention {name}")
        return self.retentions[name]

    def _change(self, request: Any) -> Retention:
        name, stored = request.retention.name, self.retentions.get(request.retention.name)
        new = NewRetention(
            **{k: v for k, v in read_fields(request.retention).items() if k in NewRetention.model_fields}
        )
        fields = dict(new)
        if request.HasField("update_mask"):
            before = stored or NewRetention()
            patch = patch_of(RetentionPatch, request.retention, request.update_mask)
            fields = {**before.model_dump(include=set(fields)), **merge(before, patch, NewRetention)}
        version = stored.version + 1 if stored else 1
        return Retention(**fields, name=name, version=version, updated_at=datetime.now(UTC))
