"""The part of the client for judge policies, criteria sets, judgings without a job, and receipts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack
from uuid import UUID

from signoff.connection import Call, Connection, Page, Request, iterate, iterate_by, join_request
from signoff.status import View
from signoff.values import new_execution_id

if TYPE_CHECKING:
    from signoff.jsontext import Json
    from signoff.judging import (
        CriteriaRemarks,
        JudgePolicies,
        Judging,
        JudgingProgress,
        NamedCriteriaSet,
        NamedGoldenSet,
        NamedJudgePolicy,
        ReceiptKey,
        RejudgeReport,
        SavedCriteriaSet,
        SavedJudgePolicy,
    )
    from signoff.quality import Quality


class Receipt(NamedTuple):
    """A receipt as JSON text, and the version of the entry of the log whose verdict it states."""

    envelope: str
    version: int


class JudgingClient(Connection):
    """Call the jobstore about judging; the base of AsyncClient."""

    async def get_quality(
        self,
        range_s: int = 7 * 86_400,
        *,
        tenant: str = "",
        agent_id: str = "",
        judge: str = "",
        of_criterion: str = "",
        **call: Unpack[Call],
    ) -> Quality:
        """Return how much was accepted in the last `range_s` seconds (90 days at most), by agent, judge and criterion.

        `judge`: a policy, or a version of it; `of_criterion`: its outcomes in place of the verdicts'.
        """
        values = {"tenant": tenant, "agent_id": agent_id, "judge": judge, "of_criterion": of_criterion}
        return await self._ask("GetQuality", range_s=range_s, **values, **call)

    async def list_judge_policies(self, *, tenant: str = "", **page: Unpack[Page]) -> JudgePolicies:
        """Return a page of judge policies by name, without bodies, and the validators that are there.

        `tenant`: those that this tenant may name alone.
        """
        return await self._ask("ListJudgePolicies", tenant=tenant, **page)

    iter_judge_policies = iterate_by(list_judge_policies, lambda page: (page.policies, page.next_page_token))

    async def get_judge_policy(
        self, name: str, *, page_size: int = 0, before: int = 0, **call: Unpack[Call]
    ) -> NamedJudgePolicy:
        """Return a judge policy with its newest versions (50 at most), below `before` if that is given."""
        values = {"name": name, "page_size": page_size, "before": before}
        return await self._ask("GetJudgePolicy", "policy", **values, **call)

    async def put_judge_policy(
        self, policy: Mapping[str, Json], *, version: int | None = None, note: str | None = None, **call: Unpack[Call]
    ) -> SavedJudgePolicy:
        """Add a version of a judge policy, given as its JSON, unless the newest version is the same."""
        return await self._ask("PutJudgePolicy", policy=policy, version=version, note=note or None, **call)

    async def promote_judge_policy(
        self,
        name: str,
        version: int,
        *,
        report: Mapping[str, Json] | None = None,
        force_reason: str | None = None,
        newest: int | None = None,
        **call: Unpack[Call],
    ) -> NamedJudgePolicy:
        """Make a version of a judge policy current; by the evaluation in `report` it passes the golden set."""
        given = {} if report is None else {"report": report}
        values = {"name": name, "version": version, "force_reason": force_reason or None, "newest": newest, **given}
        return await self._ask("PromoteJudgePolicy", "policy", **values, **call)

    async def retire_judge_policy(
        self, name: str, *, reason: str | None = None, version: int | None = None, **call: Unpack[Call]
    ) -> NamedJudgePolicy:
        """Retire a judge policy: no new execution is judged by it."""
        return await self._ask("RetireJudgePolicy", "policy", name=name, reason=reason or None, version=version, **call)

    async def keep_evaluation(self, evaluation: UUID, **call: Unpack[Call]) -> list[str]:
        """Let the jobstore count and keep the judgings of an evaluation, and return the versions that judged."""
        return [*(await self._call("KeepEvaluation", evaluation=evaluation, **call)).references]

    async def put_golden_set(
        self,
        name: str,
        cases_jsonl: str,
        *,
        true_positive_rate_min: float | None = None,
        true_negative_rate_min: float | None = None,
        flips_max: float | None = None,
        note: str | None = None,
        version: int | None = None,
        **call: Unpack[Call],
    ) -> NamedGoldenSet:
        """Replace the golden set of a policy: labelled cases, one a line, and the rates that a version must reach."""
        rates = {"true_positive_rate_min": true_positive_rate_min, "true_negative_rate_min": true_negative_rate_min}
        values = {"name": name, "cases_jsonl": cases_jsonl, "note": note or None, "version": version}
        return await self._ask("PutGoldenSet", "golden", **values, **rates, flips_max=flips_max, **call)

    async def get_golden_set(self, name: str, **call: Unpack[Call]) -> NamedGoldenSet:
        """Return the golden set of a policy with its cases."""
        return await self._ask("GetGoldenSet", "golden", name=name, **call)

    async def retire_golden_set(
        self, name: str, *, reason: str | None = None, version: int | None = None, **call: Unpack[Call]
    ) -> NamedGoldenSet:
        """Retire the golden set of a policy: new versions become current without one."""
        return await self._ask("RetireGoldenSet", "golden", name=name, reason=reason or None, version=version, **call)

    async def list_criteria_sets(self, *, tenant: str = "", **page: Unpack[Page]) -> tuple[list[NamedCriteriaSet], str]:
        """Return a page of criteria sets by name, without criteria, and the next page's token or "".

        `tenant`: those that this tenant may name alone.
        """
        return await self._ask_page("ListCriteriaSets", "sets", tenant=tenant, **page)

    iter_criteria_sets = iterate(list_criteria_sets)

    async def get_criteria_set(
        self, name: str, *, page_size: int = 0, before: int = 0, **call: Unpack[Call]
    ) -> NamedCriteriaSet:
        """Return a criteria set with its newest versions (50 at most), below `before` if that is given."""
        page = {"page_size": page_size, "before": before}
        return await self._ask("GetCriteriaSet", "set", name=name, **page, **call)

    async def put_criteria_set(
        self,
        name: str,
        acceptance_criteria: str = "",
        *,
        criteria: Sequence[Request] = (),
        version: int | None = None,
        note: str | None = None,
        **call: Unpack[Call],
    ) -> SavedCriteriaSet:
        """Add a version of a criteria set, as a text or a list, unless the newest version is the same."""
        values = {"acceptance_criteria": acceptance_criteria, "criteria": criteria, "version": version}
        return await self._ask("PutCriteriaSet", name=name, **values, note=note or None, **call)

    async def retire_criteria_set(
        self, name: str, *, reason: str | None = None, version: int | None = None, **call: Unpack[Call]
    ) -> NamedCriteriaSet:
        """Retire a criteria set: no new execution is judged by it."""
        return await self._ask("RetireCriteriaSet", "set", name=name, reason=reason or None, version=version, **call)

    async def lint_criteria(
        self, acceptance_criteria: str = "", *, criteria: Sequence[Request] = (), **call: Unpack[Call]
    ) -> CriteriaRemarks:
        """Return warnings about criteria that may be misunderstood, and how they are judged; nothing is stored."""
        values = {"acceptance_criteria": acceptance_criteria, "criteria": criteria}
        return await self._ask("LintCriteria", **values, **call)

    async def create_judgings(
        self,
        new: Request = None,
        /,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> UUID:
        """Queue judgings, which validators do when they have room, and return their common id. One key is one id."""
        given = join_request(new, fields)
        if not isinstance(given, Mapping):
            given = {"kind": given.kind, **given.model_dump(exclude_defaults=True)}
        values = {**given, "idempotency_key": idempotency_key or new_execution_id()}
        return UUID((await self._call("CreateJudgings", **values, timeout_s=timeout_s)).id)

    async def get_judgings(self, judgings_id: UUID | str, **page: Unpack[Page]) -> tuple[list[Judging], str]:
        """Return a page of judgings in the order of their cases, and the next page's token or ""."""
        return await self._ask_page("GetJudgings", "judgings", judgings_id=judgings_id, **page)

    iter_judgings = iterate(get_judgings)

    async def watch_judgings(self, judgings_id: UUID | str) -> AsyncGenerator[JudgingProgress]:
        """Yield how many of the judgings are answered, and after each change, until all are. Reopens a lost stream."""
        async with aclosing(self._watch("WatchJudgings", {"judgings_id": judgings_id})) as responses:
            async for response in responses:
                yield self._read(response)
                if response.answered == response.total:
                    return

    async def get_rejudge_report(self, operation_id: UUID | str, **page: Unpack[Page]) -> RejudgeReport:
        """Return the report, up to now, of an operation that judges jobs again, with a page of its flips."""
        return await self._ask("GetRejudgeReport", operation_id=operation_id, **page)

    async def get_receipt(
        self,
        job_id: str,
        *,
        version: int | None = None,
        submission: int | None = None,
        view: View = View.FULL,
        **call: Unpack[Call],
    ) -> Receipt:
        """Return the receipt of the verdict that ended a job, or of the verdict at `version` or on `submission`.

        Errors: `no_verdict` if there is none, `unjudged` if the judge failed. With the view BASIC, criteria are hashes.
        """
        values = {"job_id": job_id, "version": version, "submission": submission, "view": view}
        response = await self._call("GetReceipt", **values, **call)
        return Receipt(response.envelope_json, response.version)

    async def list_receipt_keys(self, **page: Unpack[Page]) -> tuple[list[ReceiptKey], str]:
        """Return a page of the keys that receipts are and were signed with, newest first, and the next token or ""."""
        return await self._ask_page("ListReceiptKeys", "keys", **page)

    iter_receipt_keys = iterate(list_receipt_keys)
