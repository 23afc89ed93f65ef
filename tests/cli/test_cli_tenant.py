"""Commands are for the tenant of the environment, or of the profile, unless they name another."""

import json

import pytest

from contracts.resources import NewJob
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb


@pytest.fixture
def env(jobstore_server, env, tmp_path):
    """The tenant stands in the profile, as `signoff tenants use` puts it there."""
    file = tmp_path / "config/signoff/profiles.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"here": {"jobstore": jobstore_server.address, "tenant": "press"}}))
    file.chmod(0o600)
    return env


@pytest.mark.parametrize(
    ("words", "tenant"),
    [([], "press"), (["--tenant", "web"], "web"), (["--tenant", ""], ""), (["--not-tenant", "press"], "")],
    ids=["of the profile", "named", "all", "left out"],
)
async def test_a_filter_is_of_the_tenant(signoff, jobstore, words, tenant):
    assert (await signoff("jobs", "list", *words)).status == 0
    assert jobstore.requests[-1].filter.tenant == tenant


async def test_the_tenant_of_the_environment_goes_before_that_of_the_profile(signoff, env, jobstore):
    env["SIGNOFF_TENANT"] = "web"
    assert (await signoff("jobs", "count")).status == 0
    assert jobstore.requests[-1].filter.tenant == "web"


NEW = ("jobs", "create", "--title", "t", "--criteria", "c")


async def test_a_new_job_is_of_the_tenant_unless_it_says_another(signoff, jobstore, tmp_path):
    (tmp_path / "job.json").write_text('{"tenant": "web", "title": "t", "acceptance_criteria": "c"}')
    for words in (NEW, (*NEW, "--tenant", "web"), ("jobs", "create", "--file", "job.json")):
        ran = await signoff(*words)
        assert ran.status == 0, ran.err
    assert [each.job.tenant for each in jobstore.asked(jobs_pb.CreateJobRequest)] == ["press", "web", "web"]


async def test_new_jobs_of_a_batch_are_of_the_tenant(signoff, jobstore, tmp_path):
    jobs = [
        {"title": "t", "acceptance_criteria": "c", "agent_id": "writer", **more} for more in ({}, {"tenant": "web"})
    ]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    ran = await signoff("batches", "create", "--file", "jobs.json")
    (asked,) = jobstore.asked(jobs_pb.ExecuteJobsRequest)
    assert [each.tenant for each in asked.jobs] == ["press", "web"], ran.err


async def test_jobs_that_are_named_are_asked_for_whosever_they_are(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="t", acceptance_criteria="c", agent_id="writer", tenant="web"))
    assert (await signoff("bulk", "cancel", "poem", "--dry-run", "--yes")).status == 0


async def test_a_new_agent_is_of_the_tenant(signoff, jobstore):
    ran = await signoff("agents", "create", "--name", "writer", "--url", "http://127.0.0.1:1/")
    assert ran.status == 0, ran.err
    assert jobstore.asked(agents_pb.CreateAgentRequest)[0].agent.tenant == "press"
