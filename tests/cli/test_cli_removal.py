"""`signoff jobs remove`, `hold`, `release` and `holds`."""

from contracts.resources import NewJob
from signoff.v1 import keeping_service_pb2 as keeping_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2


async def test_jobs_are_removed_by_an_operation_that_is_asked_for(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="A poem", acceptance_criteria="It rhymes"))
    missing = await signoff("jobs", "remove", "poem")
    assert (missing.status, "--yes" in missing.err) == (2, True)
    assert (await signoff("jobs", "remove", "poem", "--yes", "--reason", "asked for")).status == 0
    (asked,) = jobstore.asked(pb.CreateOperationRequest)
    assert asked.operation.kind == resources_pb2.OPERATION_KIND_REMOVE
    assert (list(asked.operation.job_ids), asked.operation.reason) == (["poem"], "asked for")


async def test_a_job_is_held_listed_and_released(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="A poem", acceptance_criteria="It rhymes"))
    assert "no job is held" in (await signoff("jobs", "holds")).out
    assert "poem is held" in (await signoff("jobs", "hold", "poem", "--reason", "an audit")).out
    assert "an audit" in (await signoff("jobs", "holds")).out
    assert (await signoff("jobs", "release", "poem")).status == 0
    assert [each.job_id for each in jobstore.asked(keeping_pb.ReleaseJobRequest)] == ["poem"]
    assert (await signoff("jobs", "holds", "--json")).json == {"items": []}
