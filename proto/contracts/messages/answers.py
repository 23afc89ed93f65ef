"""Read a message that the jobstore answered with as the resource that it holds."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.messages.convert import agent_of, execution_of, job_log_of, job_of, limit_of
from contracts.messages.job_requests import job_counts_of, job_facets_of, saved_job_of
from contracts.messages.judging import (
    criteria_set_of,
    golden_set_of,
    judge_policy_of,
    policies_of,
    remarks_of,
    saved_policy_of,
    saved_set_of,
)
from contracts.messages.operations import item_of, operation_of, preview_of
from contracts.messages.receipts import receipt_key_of
from contracts.messages.views import agent_stats_of, dead_letters_of, overview_of, resolved_of
from contracts.messages.waiting import waiting_of
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import judge_service_pb2 as judges_pb
from signoff.v1 import operations_service_pb2 as operations_pb
from signoff.v1 import receipt_service_pb2 as receipts_pb
from signoff.v1 import resources_pb2 as pb

_READERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    pb.Job: job_of,
    pb.JobLog: job_log_of,
    pb.Execution: execution_of,
    pb.Agent: agent_of,
    pb.Limit: limit_of,
    pb.Operation: operation_of,
    pb.Waiting: waiting_of,
    jobs_pb.CreateJobResponse: saved_job_of,
    jobs_pb.UpdateJobResponse: saved_job_of,
    jobs_pb.CountJobsResponse: job_counts_of,
    judges_pb.JudgePolicy: judge_policy_of,
    judges_pb.CriteriaSet: criteria_set_of,
    judges_pb.GoldenSet: golden_set_of,
    judges_pb.PutJudgePolicyResponse: saved_policy_of,
    judges_pb.PutCriteriaSetResponse: saved_set_of,
    judges_pb.LintCriteriaResponse: remarks_of,
    judges_pb.ListJudgePoliciesResponse: policies_of,
    jobs_pb.ListJobFacetsResponse: job_facets_of,
    pb.OperationItem: item_of,
    receipts_pb.ReceiptKey: receipt_key_of,
    operations_pb.PreviewOperationResponse: preview_of,
    operations_pb.AgentStats: agent_stats_of,
    operations_pb.GetOverviewResponse: overview_of,
    operations_pb.ListDeadLettersResponse: dead_letters_of,
    operations_pb.ResolveDeadLettersResponse: resolved_of,
}


def read_resource(message: Any) -> Any:
    """Return the resource in a message: a Job, JobLog, Agent, Limit, Operation, or a view of operators."""
    return _READERS[type(message)](message)
