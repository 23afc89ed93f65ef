"""An agent of a tenant is sent values of that tenant alone: another's never leave the executor."""

import pytest
from async_agent import AsyncAgent, status
from fault_agent import says

from contracts.events import ResultProduced
from executor.errors import AgentError, AgentHeaderError
from executor.executions import read_grant
from executor.http_agents import HeaderValues
from signoff.status import Protocol as AgentProtocol
from signoff.status import ReportKind
from signoff.values import new_execution_id
from signoff.worker.v1 import work_service_pb2 as pb

RADIO, COMMON = "the-radios-s3cret", "the-common-s3cret"
SIGNING = "c2VjcmV0LW9mLXJhZGlvLW9mLTMyLWJ5dGVzLW9yLXNv"
BY_OTHERS = ["env:SIGNOFF_AGENT_RADIO__KEY", "env:SIGNOFF_AGENT_COMMON", "file:radio/key", "file:press/../radio/key"]


@pytest.fixture
def environ():
    return {
        "SIGNOFF_AGENT_RADIO__KEY": RADIO,
        "SIGNOFF_AGENT_RADIO__SIGNING": SIGNING,
        "SIGNOFF_AGENT_COMMON": COMMON,
        "SIGNOFF_AGENT_PRESS__KEY": "of the press",
    }


@pytest.fixture(autouse=True)
def files(header_dir):
    for tenant in ("press", "radio"):
        (header_dir / tenant).mkdir()
        (header_dir / tenant / "key").write_text(f"the file of the {tenant}")
    (header_dir / "press" / "link").symlink_to("../radio/key")
    (header_dir / "common").write_text(COMMON)
    return header_dir


@pytest.mark.parametrize("reference", [*BY_OTHERS, "file:common", "file:/etc/hostname", "env:SIGNOFF_AGENT_PRESS_KEY"])
@pytest.mark.parametrize("protocol", [AgentProtocol.HTTP, AgentProtocol.HTTP_ASYNC, AgentProtocol.OPENAI])
async def test_another_tenants_value_is_not_sent_and_not_tried_again(agent, outcome, caplog, reference, protocol):
    settings = {"model": "m"} if protocol is AgentProtocol.OPENAI else {}
    told = {"headers": {"X-Key": reference}, "agent_tenant": "press", "protocol": protocol, "settings": settings}
    report = await outcome(agent.does(says(b"1")), **told)
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_value_forbidden", False)
    assert "env:SIGNOFF_AGENT_PRESS__<NAME>" in report.message
    assert agent.calls == []
    assert not any(secret in caplog.text + report.message for secret in (RADIO, COMMON, "file of the radio"))


@pytest.mark.parametrize("reference", BY_OTHERS)
async def test_nor_for_the_card_of_an_agent(agent, outcome, reference):
    told = {"headers": {"X-Key": reference}, "agent_tenant": "press", "protocol": AgentProtocol.A2A}
    report = await outcome(agent.does(says(b"{}")), **told)
    assert (report.code, "no value of the tenant press" in report.message) == ("agent_card_unreadable", True)
    assert agent.calls == []


async def test_nothing_is_signed_with_another_tenants_secret(agent, outcome):
    url = AsyncAgent(agent).takes(status("succeeded", result="blue"))
    told = {"signing": "env:SIGNOFF_AGENT_RADIO__SIGNING", "protocol": AgentProtocol.HTTP_ASYNC}
    assert (await outcome(url, agent_tenant="press", **told)).code == "agent_value_forbidden"
    assert agent.calls == []
    assert isinstance(await outcome(url, agent_tenant="radio", **told), ResultProduced)


async def test_its_own_values_are(agent, outcome):
    headers = {"X-Key": "env:SIGNOFF_AGENT_PRESS__KEY", "X-File": "file:press/key"}
    assert isinstance(await outcome(agent.does(says(b"1")), headers=headers, agent_tenant="press"), ResultProduced)
    (call,) = agent.calls
    assert (call.headers["X-Key"], call.headers["X-File"]) == ("of the press", "the file of the press")


def test_a_link_out_of_its_folder_is_not_followed(files, environ):
    reader = HeaderValues(environ, files)
    with pytest.raises(AgentHeaderError, match="cannot be read"):
        reader.read({"X-Key": "file:press/link"}, "press")
    assert reader.read({"X-Key": "file:press/link"}, "default") == {"X-Key": "the file of the radio"}


def test_its_folder_may_be_mounted_by_links(header_dir, environ):
    """As secrets with paths are mounted in Kubernetes."""
    (header_dir / "..2026" / "tv").mkdir(parents=True)
    (header_dir / "..2026" / "tv" / "key").write_text("of tv")
    (header_dir / "..data").symlink_to("..2026")
    (header_dir / "tv").symlink_to("..data/tv")
    assert HeaderValues(environ, header_dir).read({"X-Key": "file:tv/key"}, "tv") == {"X-Key": "of tv"}


@pytest.mark.parametrize(
    "reference", ["env:SIGNOFF_AGENT_PRESS_X__KEY", "env:SIGNOFF_AGENT_PRESS__X__KEY", "file:press-x/key"]
)
def test_a_tenant_whose_name_begins_alike_is_another(header_dir, reference):
    environ = {"SIGNOFF_AGENT_PRESS_X__KEY": "x", "SIGNOFF_AGENT_PRESS__X__KEY": "x"}
    (header_dir / "press-x").mkdir()
    (header_dir / "press-x" / "key").write_text("x")
    with pytest.raises(AgentError, match="no value of the tenant press"):
        HeaderValues(environ, header_dir).read({"X-Key": reference}, "press")


@pytest.mark.parametrize("said", ["", "default"])
def test_a_jobstore_of_0_2_0_names_no_tenant_and_its_agents_use_what_they_used(header_dir, environ, said):
    lease = pb.LeaseKey(execution_id=str(new_execution_id()), lease=1)
    grant = read_grant(pb.ExecutionGrant(agent_tenant=said, lease=lease), "job-1")
    assert grant.agent_tenant == "default"
    read = HeaderValues(environ, header_dir).read({"X-Key": "env:SIGNOFF_AGENT_COMMON"}, grant.agent_tenant)
    assert read == {"X-Key": COMMON}
