"""The part of the jobstore's client for judge policies and criteria sets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from contracts.client.connection import Connection
from signoff.v1 import judge_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.v1.judge_service_pb2_grpc import JudgeServiceStub

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from contracts.criteria import CriteriaRemarks, Criterion
    from contracts.messages.judging import (
        JudgePolicies,
        NamedCriteriaSet,
        NamedGoldenSet,
        NamedJudgePolicy,
        SavedCriteriaSet,
        SavedJudgePolicy,
    )
    from signoff.jsontext import Json


class JudgesClient(Connection):
    """Call the jobstore about judge policies and criteria sets; a base of JobStoreClient."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._judges = JudgeServiceStub(self._channel)
        return self

    async def list_judge_policies(self, *, page_size: int = 0, page_token: str = "") -> JudgePolicies:
        """Return a page of judge policies by name, without bodies, and the validators that are there."""
        request = pb.ListJudgePoliciesRequest(page_size=page_size, page_token=page_token)
        return self._read(await self._call(self._judges.ListJudgePolicies, request))

    async def get_judge_policy(self, name: str, *, page_size: int = 0, before: int = 0) -> NamedJudgePolicy:
        """Return a judge policy with its newest versions (50 at most), below `before` if that is given; NOT_FOUND."""
        request = pb.GetJudgePolicyRequest(name=name, page_size=page_size, before=before)
        return self._read((await self._call(self._judges.GetJudgePolicy, request)).policy)

    async def put_judge_policy(
        self, policy: Mapping[str, Json], *, version: int | None = None, note: str | None = None
    ) -> SavedJudgePolicy:
        """Add a version of a judge policy, given as its JSON, unless the newest says the same."""
        request = pb.PutJudgePolicyRequest(policy_json=json.dumps(policy), version=version, note=note or None)
        return self._read(await self._call(self._judges.PutJudgePolicy, request))

    async def promote_judge_policy(
        self,
        name: str,
        version: int,
        *,
        report: Mapping[str, Json] | None = None,
        force_reason: str | None = None,
        newest: int | None = None,
    ) -> NamedJudgePolicy:
        """Let new executions be judged by a version, which passes the golden set as a report names it; NOT_FOUND."""
        text = None if report is None else json.dumps(report)
        request = pb.PromoteJudgePolicyRequest(
            name=name,
            version=version,
            report_json=text,
            force_reason=force_reason or None,
            newest=newest,
        )
        return self._read((await self._call(self._judges.PromoteJudgePolicy, request)).policy)

    async def retire_judge_policy(
        self, name: str, *, reason: str | None = None, version: int | None = None
    ) -> NamedJudgePolicy:
        """Let no new execution be judged by a name; NOT_FOUND."""
        request = pb.RetireJudgePolicyRequest(name=name, reason=reason or None, version=version)
        return self._read((await self._call(self._judges.RetireJudgePolicy, request)).policy)

    async def keep_evaluation(self, evaluation: UUID) -> list[str]:
        """Have the judgings of an evaluation counted and kept, and return of which versions; NOT_FOUND."""
        request = pb.KeepEvaluationRequest(evaluation=str(evaluation))
        return [*(await self._call(self._judges.KeepEvaluation, request)).references]

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
    ) -> NamedGoldenSet:
        """Replace the golden set of a policy: a labelled case a line, and what the share judged rightly reaches."""
        request = pb.PutGoldenSetRequest(
            name=name,
            cases_jsonl=cases_jsonl,
            true_positive_rate_min=true_positive_rate_min,
            true_negative_rate_min=true_negative_rate_min,
            flips_max=flips_max,
            note=note or None,
            version=version,
        )
        return self._read((await self._call(self._judges.PutGoldenSet, request)).golden)

    async def get_golden_set(self, name: str) -> NamedGoldenSet:
        """Return the golden set of a policy with its cases; NOT_FOUND."""
        response = await self._call(self._judges.GetGoldenSet, pb.GetGoldenSetRequest(name=name))
        return self._read(response.golden)

    async def retire_golden_set(
        self, name: str, *, reason: str | None = None, version: int | None = None
    ) -> NamedGoldenSet:
        """Let versions of a policy take over without a golden set; NOT_FOUND."""
        request = pb.RetireGoldenSetRequest(name=name, reason=reason or None, version=version)
        return self._read((await self._call(self._judges.RetireGoldenSet, request)).golden)

    async def list_criteria_sets(
        self, *, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[NamedCriteriaSet], str]:
        """Return a page of criteria sets by name, without criteria, and the next page's token or ""."""
        request = pb.ListCriteriaSetsRequest(page_size=page_size, page_token=page_token)
        response = await self._call(self._judges.ListCriteriaSets, request)
        return [self._read(each) for each in response.sets], response.next_page_token

    async def get_criteria_set(self, name: str, *, page_size: int = 0, before: int = 0) -> NamedCriteriaSet:
        """Return a criteria set with its newest versions (50 at most), below `before` if that is given; NOT_FOUND."""
        request = pb.GetCriteriaSetRequest(name=name, page_size=page_size, before=before)
        return self._read((await self._call(self._judges.GetCriteriaSet, request)).set)

    async def put_criteria_set(
        self,
        name: str,
        acceptance_criteria: str = "",
        *,
        criteria: Sequence[Criterion] = (),
        version: int | None = None,
        note: str | None = None,
    ) -> SavedCriteriaSet:
        """Add a version of a criteria set, in either form, unless the newest says the same."""
        request = pb.PutCriteriaSetRequest(
            name=name,
            acceptance_criteria=acceptance_criteria,
            criteria=_criteria_messages(criteria),
            version=version,
            note=note or None,
        )
        return self._read(await self._call(self._judges.PutCriteriaSet, request))

    async def retire_criteria_set(
        self, name: str, *, reason: str | None = None, version: int | None = None
    ) -> NamedCriteriaSet:
        """Let no new execution be judged by a set; NOT_FOUND."""
        request = pb.RetireCriteriaSetRequest(name=name, reason=reason or None, version=version)
        return self._read((await self._call(self._judges.RetireCriteriaSet, request)).set)

    async def lint_criteria(
        self, acceptance_criteria: str = "", *, criteria: Sequence[Criterion] = ()
    ) -> CriteriaRemarks:
        """Return what might be meant otherwise in criteria, and how they are judged; nothing is stored."""
        request = pb.LintCriteriaRequest(acceptance_criteria=acceptance_criteria, criteria=_criteria_messages(criteria))
        return self._read(await self._call(self._judges.LintCriteria, request))


def _criteria_messages(criteria: Sequence[Criterion]) -> list[resources_pb.Criterion]:
    return [resources_pb.Criterion(text=one.text, required=one.required, kind=one.kind) for one in criteria]
