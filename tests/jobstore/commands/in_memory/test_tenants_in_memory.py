"""What is a tenant's is used by the tenant, unless it is shared: to others it is as if it were not there."""

from dataclasses import replace
from typing import Any

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import new_job

from contracts.resources import AgentPatch, NewAgent, NewTenant
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RefusedError
from jobstore.jobs.commands import AssignAgent, CreateJob
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.judging.commands import PromoteVersion, PutVersion, RetireName
from jobstore.judging.rules import Kind, Named
from jobstore.tenants.commands import CreateTenant
from jobstore.tenants.rules import NewTenant as StoredTenant
from jobstore.tenants.rules import Tenants

URL = "http://127.0.0.1:1/"


def register(jobstore: MemoryJobstore, agent_id: str, **fields: Any) -> Any:
    jobstore.run(RegisterAgent(agent_id, NewAgent(name=agent_id, url=URL, **fields), actor=SIGNOFF))
    return jobstore.agents[agent_id]


def refuse(jobstore: MemoryJobstore, command: Any, code: str) -> str:
    with pytest.raises(InvalidError) as caught:
        jobstore.run(command)
    assert caught.value.code == code
    return str(caught.value)


def test_an_agent_of_default_is_shared_and_one_of_a_tenant_is_not_unless_it_says_so(jobstore: MemoryJobstore) -> None:
    assert (register(jobstore, "old").tenant, jobstore.agents["old"].shared) == ("default", True)
    assert not register(jobstore, "press:own", tenant="press").shared
    assert register(jobstore, "press:all", tenant="press", shared=True).shared
    assert not register(jobstore, "mine", shared=False).shared


def test_an_update_that_knows_no_tenants_leaves_the_agent_to_its_own(jobstore: MemoryJobstore) -> None:
    register(jobstore, "press:own", tenant="press")
    jobstore.run(UpdateAgent("press:own", NewAgent(name="other", url=URL), actor=SIGNOFF))
    own = jobstore.agents["press:own"]
    assert (own.name, own.tenant, own.shared) == ("other", "press", False)
    jobstore.run(UpdateAgent("press:own", AgentPatch(shared=True), actor=SIGNOFF))
    assert jobstore.agents["press:own"].shared
    moved = NewAgent(name="other", url=URL, tenant="law")
    assert "press" in refuse(jobstore, UpdateAgent("press:own", moved, actor=SIGNOFF), "invalid_request")


def test_a_foreign_agent_is_none_to_a_job_that_names_or_is_assigned_it(jobstore: MemoryJobstore, life: Life) -> None:
    register(jobstore, "press:own", tenant="press")
    absent = CreateJob(new_job(agent_id="law:none"), "a", actor=SIGNOFF)
    foreign = CreateJob(new_job(agent_id="press:own"), "a", actor=SIGNOFF)
    texts = [refuse(jobstore, command, "unknown_agent") for command in (absent, foreign)]
    assert texts[0].replace("law:none", "press:own") == texts[1]
    life.created()
    refuse(jobstore, AssignAgent(life.job_id, "press:own", actor=SIGNOFF), "unknown_agent")
    Life(jobstore, "press:job").created(agent_id="press:own", tenant="press")
    assert jobstore.jobs["press:job"].agent_id == "press:own"


def test_a_record_that_names_a_foreign_agent_is_wrong_for_good(jobstore: MemoryJobstore, life: Life) -> None:
    register(jobstore, "press:own", tenant="press")
    answers = [life.claim(inline=new_job(agent_id="press:own")) for _ in range(2)]
    assert [(each.outcome, each.code) for each in answers] == [("INVALID", "unknown_agent")] * 2


def test_jobs_are_matched_to_agents_of_their_own_tenant_and_to_shared_ones(
    jobstore: MemoryJobstore, life: Life
) -> None:
    register(jobstore, "press:own", tenant="press", capabilities=["sing"])
    life.created(agent_id=None, capabilities=["sing"])
    assert (life.job.agent_id, life.told) == (None, ["created", "matching_failed"])
    own = Life(jobstore, "press:job").created(agent_id=None, capabilities=["sing"], tenant="press")
    assert own.job.agent_id == "press:own"
    register(jobstore, "all", capabilities=["sing"])
    assert Life(jobstore).created(agent_id=None, capabilities=["sing"]).job.agent_id == "all"


def test_an_agent_that_is_shared_no_more_gets_no_more_of_others(jobstore: MemoryJobstore, life: Life) -> None:
    register(jobstore, "press:own", tenant="press", shared=True)
    life.created(agent_id="press:own")
    jobstore.run(UpdateAgent("press:own", AgentPatch(shared=False), actor=SIGNOFF))
    with pytest.raises(Exception, match="no agent has the id press:own"):
        life.execute()


def create(name: str, title: str | None = None) -> CreateTenant:
    return CreateTenant(NewTenant(name=name, title=title), actor=BOOTSTRAP)


def test_a_tenant_is_registered_once_and_again_only_if_it_is_the_same(jobstore: MemoryJobstore) -> None:
    jobstore.run(create("radio-2"))
    assert jobstore.uow[Tenants].new == [StoredTenant("radio-2", None, BOOTSTRAP)]
    jobstore.run(create("radio-2"))
    assert jobstore.uow[Tenants].new == []
    for taken in (create("radio-2", "Radio"), create("default")):
        with pytest.raises(ConflictError, match="another tenant has the name"):
            jobstore.run(taken)


def test_a_name_with_which_ids_of_others_begin_is_no_tenants(jobstore: MemoryJobstore) -> None:
    jobstore.run(CreateJob(new_job(), "shop:1", actor=SIGNOFF))
    register(jobstore, "mill:agent")
    for name in ("shop", "mill"):
        with pytest.raises(ConflictError, match=f"begin with `{name}:`"):
            jobstore.run(create(name))
    jobstore.tenants["old"] = "old-1234"
    with pytest.raises(ConflictError, match="a former name of the tenant old-1234"):
        jobstore.run(create("old"))


def test_who_makes_up_a_tenant_is_told_so(jobstore: MemoryJobstore) -> None:
    refuse(jobstore, CreateJob(new_job(tenant="nobody"), "nobody:1", actor=SIGNOFF), "unknown_tenant")
    new = NewAgent(name="a", url=URL, tenant="nobody")
    refuse(jobstore, RegisterAgent("nobody:a", new, actor=SIGNOFF), "unknown_tenant")
    for inline, code in ((new_job(tenant="nobody"), "unknown_tenant"), (new_job(tenant="press"), "id_prefix")):
        claims = [Life(jobstore, "job-1")] * 2
        answers = [each.claim(inline=inline) for each in claims]
        assert [(each.outcome, each.code) for each in answers] == [("INVALID", code)] * 2
    assert not jobstore.jobs


@pytest.mark.parametrize(
    ("tenant", "chosen", "is_right"),
    [
        ("press", "press:1", True),
        ("press", "press:a:1", True),
        ("press", "0190c2f0-0000-7000-8000-000000000001", True),
        ("press", "0190c2f0000070008000000000000001", True),
        ("press", "law:1", False),
        ("press", "press-1", False),
        ("press", "1", False),
        ("press", "0190c2f0-000070008000-000000000001", False),
        ("default", "1", True),
        ("default", "order:1", True),
        ("default", "default:1", True),
        ("default", "Press:1", True),
        ("default", "press", True),
        ("default", "press:1", False),
    ],
)
def test_an_id_says_whose_it_is(jobstore: MemoryJobstore, tenant: str, chosen: str, is_right: bool) -> None:
    job = CreateJob(new_job(tenant=tenant), chosen, actor=SIGNOFF)
    agent = RegisterAgent(chosen, NewAgent(name="a", url=URL, tenant=tenant), actor=SIGNOFF)
    if is_right:
        jobstore.carry_out(job, agent)
        assert (jobstore.specs[chosen].tenant, jobstore.agents[chosen].tenant) == (tenant, tenant)
    else:
        refuse(jobstore, job, "id_prefix")
        refuse(jobstore, agent, "id_prefix")


def test_the_former_name_of_a_tenant_means_it_still(jobstore: MemoryJobstore) -> None:
    jobstore.tenants |= {"Big Team": "big-team-1234", "big-team-1234": "big-team-1234"}
    for _ in range(2):  # a request that is repeated is the same
        jobstore.run(CreateJob(new_job(tenant="Big Team"), "big-team-1234:1", actor=SIGNOFF))
    assert jobstore.specs["big-team-1234:1"].tenant == "big-team-1234"
    life = Life(jobstore)
    life.claim(inline=new_job(tenant="Big Team"))
    assert life.execution.tenant == "big-team-1234"


STRICT = Named(Kind.JUDGE, "press.strict")
PRESS, ALL = frozenset({"press"}), None


def put(jobstore: MemoryJobstore, named: Named, limited_to: frozenset[str] | None = ALL, body: str = "{}") -> Any:
    return jobstore.run(PutVersion(named, body, actor=SIGNOFF, limited_to=limited_to))


@pytest.mark.parametrize(
    ("name", "limited_to", "tenant", "shared"),
    [
        ("strict", ALL, "default", True),
        ("other.strict", PRESS | {"other"}, "other", False),
        ("unknown.strict", ALL, "default", True),
        ("press.strict", ALL, "press", False),
        ("press.strict", PRESS, "press", False),
        ("strict", frozenset({"default"}), "default", False),
    ],
)
def test_a_new_name_says_whose_the_policy_is(
    jobstore: MemoryJobstore, name: str, limited_to: frozenset[str] | None, tenant: str, shared: bool
) -> None:
    put(jobstore, Named(Kind.JUDGE, name), limited_to)
    known = jobstore.names[Named(Kind.JUDGE, name)]
    assert (known.tenant, known.shared) == (tenant, shared)


@pytest.mark.parametrize("name", ["strict", "law.strict", "unknown.strict", "pressed.strict"])
def test_a_tenant_begins_no_name_of_others(jobstore: MemoryJobstore, name: str) -> None:
    with pytest.raises(InvalidError, match=r"begins with `press\.`") as caught:
        put(jobstore, Named(Kind.JUDGE, name), PRESS)
    assert caught.value.code == "id_prefix"


def test_a_policy_of_another_tenant_is_none_and_a_shared_one_is_not_changed(jobstore: MemoryJobstore) -> None:
    law, shared = frozenset({"law"}), Named(Kind.JUDGE, "strict")
    put(jobstore, STRICT, PRESS)
    put(jobstore, shared)
    with pytest.raises(InvalidError, match="begins with `law"):  # as one that is not there
        put(jobstore, STRICT, law, "{ }")
    for command in (
        PromoteVersion(STRICT, 1, "so", actor=SIGNOFF, limited_to=law),
        RetireName(STRICT, actor=SIGNOFF, limited_to=law),
    ):
        with pytest.raises(NotFoundError) as caught:
            jobstore.run(command)
        assert (caught.value.code, str(caught.value)) == (
            "unknown_judge_policy",
            "there is no judge policy press.strict",
        )
        with pytest.raises(ForbiddenError, match="is shared"):
            jobstore.run(replace(command, named=shared))
    put(jobstore, STRICT, PRESS, "{ }")


def test_a_job_names_policies_and_sets_of_its_tenant_and_shared_ones(jobstore: MemoryJobstore) -> None:
    criteria = Named(Kind.CRITERIA, "press.form")
    put(jobstore, STRICT, PRESS)
    put(jobstore, criteria, PRESS, "Is short")
    put(jobstore, Named(Kind.JUDGE, "strict"))
    for policy in ({"judge": "press.strict"}, {"criteria_set": "press.form"}):
        Life(jobstore).requested(tenant="press", policy=policy)
        refuse(
            jobstore,
            CreateJob(new_job(policy=policy), "a", actor=SIGNOFF),
            "unknown_judge_policy" if "judge" in policy else "unknown_criteria_set",
        )
    register(jobstore, "press:own", tenant="press", shared=True, policy={"judge": "press.strict"})
    life = Life(jobstore).created(agent_id="press:own")
    with pytest.raises(RefusedError, match=r"press\.strict"):
        life.execute()
    Life(jobstore).requested(policy={"judge": "strict"})


def test_a_judge_is_asked_with_the_keys_of_its_policys_tenant(jobstore: MemoryJobstore, life: Life) -> None:
    put(jobstore, STRICT, PRESS, '{"stages":[]}')
    life.running(tenant="press", policy={"judge": "press.strict"})
    assert life.claim_judging().policy_tenant == "press"


def test_who_is_of_some_tenants_shares_no_agent(jobstore: MemoryJobstore) -> None:
    new = NewAgent(name="a", url=URL, tenant="press")
    jobstore.run(RegisterAgent("press:own", new, actor=SIGNOFF, limited_to=PRESS))
    of_default = NewAgent(name="a", url=URL)
    jobstore.run(RegisterAgent("own", of_default, actor=SIGNOFF, limited_to=frozenset({"default"})))
    assert not jobstore.agents["press:own"].shared
    assert not jobstore.agents["own"].shared
    shared = NewAgent(name="a", url=URL, tenant="press", shared=True)
    for command in (
        RegisterAgent("press:all", shared, actor=SIGNOFF, limited_to=PRESS),
        UpdateAgent("press:own", AgentPatch(shared=True), actor=SIGNOFF, limited_to=PRESS),
    ):
        with pytest.raises(ForbiddenError, match="by who administers all"):
            jobstore.run(command)


def test_a_golden_set_is_of_a_policy_that_is_there(jobstore: MemoryJobstore) -> None:
    golden = Named(Kind.GOLDEN, "press.strict")
    with pytest.raises(NotFoundError, match=r"no judge policy press\.strict"):
        put(jobstore, golden, PRESS)
    put(jobstore, STRICT, PRESS)
    with pytest.raises(NotFoundError, match=r"no judge policy press\.strict"):
        put(jobstore, golden, frozenset({"law"}))
    put(jobstore, golden, PRESS)
    assert jobstore.names[golden].tenant == "press"
