"""The part of the client for how long things are kept, how much is kept, and jobs that were removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from signoff.connection import Call, Connection, Page, Request, iterate, join_request, make_change
from signoff.status import View
from signoff.v1.keeping_service_pb2 import Retention as RetentionMessage

if TYPE_CHECKING:
    from signoff.keeping import Hold, Kept, RemovedJob, Retention, RetentionPreview


class KeepingClient(Connection):
    """Call the jobstore about what is kept; a base of AsyncClient."""

    async def list_retentions(self, *, tenant: str = "", **page: Unpack[Page]) -> tuple[list[Retention], str]:
        """Return a page of retentions by name (100 unless `page_size` is given), and the next page's token or ""."""
        return await self._ask_page("ListRetentions", "retentions", tenant=tenant, **page)

    iter_retentions = iterate(list_retentions)

    async def get_retention(self, name: str, **call: Unpack[Call]) -> Retention:
        """Return a retention, of `tenant:<name>` or `tenant:*`; error `unknown_retention` if there is none."""
        retention: Retention = await self._ask("GetRetention", "retention", name=name, **call)
        return retention

    async def set_retention(
        self,
        name: str,
        retention: Request = None,
        /,
        *,
        version: int | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> Retention:
        """Change the given fields of a retention, or, by a NewRetention, all. What it lets go is removed soon after."""
        parameters = _make_parameters(name, join_request(retention, fields))
        changed: Retention = await self._ask(
            "SetRetention", "retention", **parameters, version=version, timeout_s=timeout_s
        )
        return changed

    async def delete_retention(self, name: str, *, version: int | None = None, **call: Unpack[Call]) -> None:
        """Delete a retention; error `unknown_retention` if there is none of this name."""
        await self._call("DeleteRetention", name=name, version=version, **call)

    async def preview_retention(
        self, name: str, retention: Request = None, /, *, timeout_s: float | None = None, **fields: Any
    ) -> RetentionPreview:
        """Return what a change of a retention would let go, without making it; without a change, what it lets go."""
        parameters = _make_parameters(name, join_request(retention, fields))
        preview: RetentionPreview = await self._ask("PreviewRetention", **parameters, timeout_s=timeout_s)
        return preview

    async def get_kept(self, **call: Unpack[Call]) -> Kept:
        """Return what is kept, how much it is, how it grows, and what goes next."""
        kept: Kept = await self._ask("GetKept", **call)
        return kept

    async def get_removed_job(self, job_id: str, *, view: View = View.FULL, **page: Unpack[Page]) -> RemovedJob:
        """Return a job that was removed, with a page of its log and its receipt, as the archive has it."""
        removed: RemovedJob = await self._ask("GetRemovedJob", job_id=job_id, view=view, **page)
        return removed

    async def list_holds(self, *, tenant: str = "", **page: Unpack[Page]) -> tuple[list[Hold], str]:
        """Return a page of the jobs that are held, by their ids, and the next page's token or ""."""
        return await self._ask_page("ListHolds", "holds", tenant=tenant, **page)

    iter_holds = iterate(list_holds)

    async def hold_job(self, job_id: str, reason: str | None = None, **call: Unpack[Call]) -> Hold:
        """Keep a job from being removed until it is released; one that is held already keeps its hold."""
        hold: Hold = await self._ask("HoldJob", "hold", job_id=job_id, reason=reason, **call)
        return hold

    async def release_job(self, job_id: str, **call: Unpack[Call]) -> None:
        """Let a job that is held be removed again."""
        await self._call("ReleaseJob", job_id=job_id, **call)


def _make_parameters(name: str, change: Any) -> dict[str, Any]:
    values, mask = make_change(RetentionMessage, change)
    return {"retention": {**values, "name": name}, "update_mask": mask}
