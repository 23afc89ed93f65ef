"""The doors of what is kept of the jobstore in memory."""

# ruff: noqa: ARG002, N802 - the names and arguments are gRPC's

from datetime import UTC, datetime
from typing import Any

import grpc

from contracts.resources import NewRetention, RetentionPatch, patch_of
from jobstore.keeping.commands import apply_change
from signoff.keeping import Hold, Kept, KeptBack, RemovedJob, Retention, RetentionEffect
from signoff.v1 import keeping_service_pb2 as pb
from signoff.v1.keeping_service_pb2_grpc import KeepingServiceServicer
from signoff.wire import read_fields, write_message
from support.fake_operations import Refusal


class FakeKeeping(KeepingServiceServicer):
    """`removed` are the jobs that were removed, by id; `effect`, `kept_back` and `kept` are answered as they are."""

    retentions: dict[str, Retention]
    removed: dict[str, RemovedJob]
    holds: dict[str, Hold]
    effect = RetentionEffect()
    kept_back: list[KeptBack] = []  # noqa: RUF012 - replaced, and never changed
    kept: Kept | None = None

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
        effects = {"now": self.effect, "later": self.effect, "kept_back": self.kept_back}
        return write_message(pb.PreviewRetentionResponse, {"retention": self._change(request), **effects})

    async def GetKept(self, request, context):
        return write_message(pb.GetKeptResponse, self.kept or Kept(at=datetime.now(UTC), is_on=bool(self.retentions)))

    async def GetRemovedJob(self, request, context):
        if request.job_id not in self.removed:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "unknown_job")
        removed = dict(self.removed[request.job_id])
        return write_message(pb.GetRemovedJobResponse, removed)

    async def ListHolds(self, request, context):
        return write_message(pb.ListHoldsResponse, {"holds": list(self.holds.values())})

    async def HoldJob(self, request, context):
        reason = request.reason or None
        held = Hold(job_id=request.job_id, reason=reason, actor="token:test", created_at=datetime.now(UTC))
        return write_message(pb.HoldJobResponse, {"hold": self.holds.setdefault(request.job_id, held)})

    async def ReleaseJob(self, request, context):
        self.holds.pop(request.job_id, None)
        return pb.ReleaseJobResponse()

    def _find(self, name: str) -> Retention:
        if name not in self.retentions:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "unknown_retention", f"there is no retention {name}")
        return self.retentions[name]

    def _change(self, request: Any) -> Retention:
        name, stored = request.retention.name, self.retentions.get(request.retention.name)
        change: Any = NewRetention(**read_fields(request.retention))
        if request.HasField("update_mask"):
            change = patch_of(RetentionPatch, request.retention, request.update_mask)
        version = stored.version + 1 if stored else 1
        return Retention(**dict(apply_change(stored, change)), name=name, version=version, updated_at=datetime.now(UTC))
