"""A judge policy of a tenant names keys of that tenant alone: another's are never used, whatever the policy says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_judge import FakeJudge
from support.factories import lease

from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel, JudgePolicy, Stage
from servicekit.addresses import parse_allowed
from signoff.status import JudgingKind
from validator.errors import JudgeUnavailableError
from validator.free_judgings import judge_free
from validator.judge_config import JudgeConfig, JudgeKeys, parse_keys
from validator.judges.openai import JudgeRoster
from validator.judging import JudgingBudget, judge_granted
from validator.ports import FreeGrant, Grant
from validator.prompt import Questions

OWN = JudgeConfig(api_key="sk-own", model="own", timeout_s=10)
QUESTION = Questions("Hello, world").ask([Criterion(text="It greets")])


def put(folder: Path, place: str, value: str, *base_urls: str) -> None:
    file = folder / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"value": value, "base_urls": base_urls or ["https://judge.example/v1"]}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    made.mkdir()
    for place in ("common", "press/house", "radio/house", "radio/own"):
        put(made, f"{place}.json", f"sk-{place}")
    return made


@pytest.fixture
def keys(folder: Path) -> JudgeKeys:
    named = parse_keys(json.dumps({"settings": {"key": "env:KEY", "base_urls": ["https://judge.example/v1"]}}))
    return JudgeKeys(OWN, named, {"KEY": "sk-settings"}, folder)


def resolve(keys: JudgeKeys, key: str, tenant: str) -> str | None:
    return keys.resolve(JudgeModel(model="m", key=key), tenant).api_key


@pytest.mark.parametrize(
    ("key", "tenant", "value"),
    [
        ("house", "press", "sk-press/house"),
        ("house", "radio", "sk-radio/house"),
        ("own", "radio", "sk-radio/own"),
        ("common", "default", "sk-common"),
        ("settings", "default", "sk-settings"),
    ],
)
def test_a_policy_names_keys_of_its_tenant_and_one_of_default_those_of_the_installation(
    keys: JudgeKeys, key: str, tenant: str, value: str
) -> None:
    assert resolve(keys, key, tenant) == value


@pytest.mark.parametrize(
    ("key", "tenant"),
    [
        *(("own", "press"), ("common", "press"), ("settings", "press"), ("house", "default"), ("own", "default")),
        *(("house", ".."), ("common", "."), ("house", "press/../radio"), ("house", "radio/"), ("own", "pres")),
    ],
)
def test_and_no_others(keys: JudgeKeys, key: str, tenant: str) -> None:
    with pytest.raises(JudgeUnavailableError) as refused:
        resolve(keys, key, tenant)
    assert refused.value.code == "judge_key_unknown"
    assert "sk-" not in str(refused.value)


@pytest.mark.parametrize("tenant", ["press", "default"])
def test_a_model_without_a_key_is_the_installations_service_to_all_tenants(tenant: str) -> None:
    """Its own key goes to its own URL alone (docs/adr/0082)."""
    own = OWN.model_copy(update={"base_url": "https://own.example/v1"})
    for base_url, is_own in ((None, True), ("https://own.example/v1/", True), ("https://evil.example/v1", False)):
        found = JudgeKeys(own, {}, {}).resolve(JudgeModel(model="dear", base_url=base_url), tenant)
        assert (found.model, found.api_key == "sk-own") == ("dear", is_own)


@pytest.mark.parametrize("link", ["../radio/own.json", "../common.json"])
def test_no_link_leads_out_of_its_folder(keys: JudgeKeys, folder: Path, link: str) -> None:
    (folder / "press" / "linked.json").symlink_to(link)
    with pytest.raises(JudgeUnavailableError, match=r"press/linked\.json"):
        resolve(keys, "linked", "press")


def test_a_key_of_a_tenant_goes_to_its_urls_alone(keys: JudgeKeys) -> None:
    elsewhere = JudgeModel(model="m", key="house", base_url="https://evil.example/v1")
    with pytest.raises(JudgeUnavailableError) as refused:
        keys.resolve(elsewhere, "press")
    assert refused.value.code == "judge_key_not_allowed"
    assert "sk-" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"value": "sk-x"}', '{"value": "", "base_urls": ["https://a.example"]}']
)
def test_a_file_that_holds_no_key_is_named_and_not_shown(keys: JudgeKeys, folder: Path, text: str) -> None:
    (folder / "press" / "broken.json").write_text(text)
    with pytest.raises(JudgeUnavailableError, match=r"press/broken\.json") as refused:
        resolve(keys, "broken", "press")
    assert (refused.value.code, "sk-x" in str(refused.value)) == ("judge_key_unknown", False)


def test_without_a_folder_a_tenant_has_no_keys(tmp_path: Path) -> None:
    for keys in (JudgeKeys(OWN, {}, {}), JudgeKeys(OWN, {}, {}, tmp_path / "gone")):
        with pytest.raises(JudgeUnavailableError, match="SIGNOFF_JUDGE_KEY_DIR"):
            resolve(keys, "house", "press")


def test_the_keys_that_are_reported_are_the_installations(keys: JudgeKeys, folder: Path) -> None:
    (folder / "broken.json").write_text("{")
    (folder / "notes.txt").write_text("{}")
    put(folder, "No name of a key.json", "sk-x")
    assert keys.list_base_urls() == {name: ["https://judge.example/v1"] for name in ("common", "settings")}
    assert JudgeKeys(OWN, {}, {}).list_base_urls() == {}


@pytest.fixture
async def roster(server: FakeJudge, folder: Path) -> AsyncIterator[JudgeRoster]:
    for tenant in ("press", "radio"):
        put(folder, f"{tenant}/house.json", f"sk-{tenant}", server.base_url)
    allowed = parse_allowed(server.base_url.split("/")[2])
    async with JudgeRoster(OWN, JudgeKeys(OWN, {}, {}, folder), allowed) as roster:
        yield roster


async def test_a_judge_that_is_kept_for_one_tenant_is_not_asked_for_another(
    server: FakeJudge, roster: JudgeRoster
) -> None:
    model = JudgeModel(model="m", key="house")
    for tenant in ("press", "radio", "press"):
        await roster.judge_of(model, tenant).ask(QUESTION)
    with pytest.raises(JudgeUnavailableError):
        await roster.judge_of(model, "default").ask(QUESTION)
    assert [each["Authorization"] for each in server.headers] == [f"Bearer sk-{t}" for t in ("press", "radio", "press")]
    assert await roster.find(model, "press") is await roster.find(model, "press")


TERMS: dict[str, Any] = {"lease_s": 60.0, "acceptance_criteria": "It greets", "policy_tenant": "press"}


async def test_the_tenant_of_the_policy_comes_with_the_grant(server: FakeJudge, roster: JudgeRoster) -> None:
    stages = [Stage(kind="single", judges=[JudgeModel(model="m", key="house")])]
    policy = JudgePolicy(name="tried", version=3, stages=stages).model_dump_json()
    grant = Grant(lease=lease(), result_hash=b"", tenant="radio", policy=policy, **TERMS)
    await judge_granted(grant, "Hello", OWN, roster.judge_of, JudgingBudget(grant.budget))
    free = FreeGrant(lease=lease(), kind=JudgingKind.TEST, result="Hello", policy=policy, **TERMS)
    made = await judge_free(roster.judge_of, OWN, free, JudgingBudget(free.budget), probe=roster.probe)
    assert made.verdict is not None
    assert {each["Authorization"] for each in server.headers} == {"Bearer sk-press"}
