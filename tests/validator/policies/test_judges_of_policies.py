"""Where a policy's models are asked, and with which key: a policy may name keys, and an operator says where they go."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import fake_judge as fake
import pytest
from fake_judge import FakeJudge
from pydantic import ValidationError
from stand_ins import LOOP, PASS, StandIn, policy_of
from support.factories import incoming, lease, result_produced
from support.fakes import FakeLeases, FakePublisher, until, working

from contracts.criteria import Criterion
from contracts.events import ResultProduced
from contracts.judging.policy import JudgeModel, LoopStep, name_judging
from contracts.signing import KeyUse
from servicekit.addresses import parse_allowed
from servicekit.errors import PermanentError
from servicekit.leasing.worker import Worker
from servicekit.process.settings import load_settings
from signoff.status import ReportKind
from validator.config import Settings
from validator.errors import JudgeUnavailableError
from validator.handlers import Handlers
from validator.judge_config import NO_KEY, JudgeConfig, JudgeKeys, parse_keys
from validator.judges import openai
from validator.judges.openai import JudgeRoster
from validator.ports import Claim, Grant
from validator.prompt import Questions

OWN = JudgeConfig(api_key="sk-own", model="own", timeout_s=10)
KEYS = parse_keys(
    json.dumps(
        {"other": {"key": "env:OTHER_KEY", "base_urls": ["https://judge.example/v1", "https://two.example/v1/"]}}
    )
)
QUESTION = Questions("Hello, world").ask([Criterion(text="It greets")])


def resolve(own: JudgeConfig = OWN, environ: dict[str, str] | None = None, **model: Any) -> JudgeConfig:
    keys = JudgeKeys(own, KEYS, {"OTHER_KEY": "sk-other"} if environ is None else environ)
    return keys.resolve(JudgeModel(**{"model": "m", **model}))


class TestKeys:
    @pytest.mark.parametrize("base_url", [None, "https://api.openai.com/v1", "HTTPS://API.OpenAI.com:443/v1/"])
    def test_the_own_key_goes_to_the_own_url(self, base_url: str | None) -> None:
        config = resolve(base_url=base_url)
        assert (config.model, config.base_url, config.api_key) == ("m", None, "sk-own")

    @pytest.mark.parametrize(
        "base_url",
        [
            "https://evil.example/v1",
            "http://api.openai.com/v1",
            "https://api.openai.com.evil.example/v1",
            "https://api.openai.com:8443/v1",
            "https://api.openai.com/v1/evil",
            "https://api.openai.com",
        ],
    )
    def test_and_to_no_other(self, base_url: str) -> None:
        assert resolve(base_url=base_url).api_key == NO_KEY

    @pytest.mark.parametrize(
        "base_url", [None, "https://judge.example/v1", "https://judge.example:443/v1/", "https://two.example/v1"]
    )
    def test_a_named_key_goes_to_the_urls_of_the_operator(self, base_url: str | None) -> None:
        config = resolve(key="other", base_url=base_url)
        assert config.api_key == "sk-other"
        assert config.base_url == (base_url or "https://judge.example/v1")

    @pytest.mark.parametrize(
        "base_url",
        [
            "https://evil.example/v1",
            "http://judge.example/v1",
            "https://judge.example.evil.example/v1",
            "https://judge.example:444/v1",
            "https://judge.example/v2",
            "https://api.openai.com/v1",
        ],
    )
    def test_and_not_where_a_policy_would_send_it(self, base_url: str) -> None:
        with pytest.raises(JudgeUnavailableError) as error:
            resolve(key="other", base_url=base_url)
        assert error.value.code == "judge_key_not_allowed"
        assert "sk-other" not in str(error.value)

    def test_one_that_nobody_has_is_said_by_its_name(self) -> None:
        with pytest.raises(JudgeUnavailableError, match="'another'") as error:
            resolve(key="another")
        assert error.value.code == "judge_key_unknown"
        with pytest.raises(JudgeUnavailableError, match="OTHER_KEY has no value"):
            resolve(key="other", environ={})

    def test_one_may_be_in_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("sk-file\n")
        keys = parse_keys(json.dumps({"f": {"key": f"file:{tmp_path}/key", "base_urls": ["https://f.example"]}}))
        assert JudgeKeys(OWN, keys, {}).resolve(JudgeModel(model="m", key="f")).api_key == "sk-file"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            '{"x": {"key": "sk-secret", "base_urls": ["https://a.example"]}}',
            '{"x": {"key": "env:A", "base_urls": []}}',
            '{"x": {"key": "env:A", "base_urls": ["ftp://a.example"]}}',
            '{"X Y": {"key": "env:A", "base_urls": ["https://a.example"]}}',
        ],
    )
    def test_settings_that_say_something_else_stop_the_start_and_show_no_value(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("SIGNOFF_VALIDATOR_TOKEN", "v" * 32)
        monkeypatch.setenv("SIGNOFF_JUDGE_KEYS", text)
        with pytest.raises(PermanentError, match="SIGNOFF_JUDGE_KEYS is not valid") as error:
            load_settings(Settings)
        assert "sk-secret" not in str(error.value)

    def test_what_a_policy_sets_counts_before_the_settings(self) -> None:
        own = OWN.model_copy(update={"thinking_tokens": 7})
        config = resolve(own, api="responses", timeout_s=3, parameters={"temperature": 0})
        assert (config.api, config.timeout_s, config.thinking_tokens) == ("responses", 3, 7)
        assert config.parameters == {"temperature": 0}


@pytest.fixture
async def roster(server: FakeJudge) -> AsyncIterator[JudgeRoster]:
    """Judges whose own is the server, and to whom no other private place is open."""
    own = OWN.model_copy(update={"base_url": server.base_url})
    async with JudgeRoster(own, JudgeKeys(own, KEYS, {}), []) as roster:
        yield roster


class TestAddresses:
    async def test_the_own_judge_is_the_operators_word_also_where_a_policy_names_it(
        self, server: FakeJudge, roster: JudgeRoster
    ) -> None:
        for model in (None, JudgeModel(model="m"), JudgeModel(model="m", base_url=server.base_url)):
            assert (await roster.judge_of(model).ask(QUESTION)).text
        assert [body["model"] for body in server.asked] == ["own", "m", "m"]
        assert {headers["Authorization"] for headers in server.headers} == {"Bearer sk-own"}

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433"])
    async def test_a_policy_leads_into_no_network_that_nobody_allowed(
        self, server: FakeJudge, host: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = server.base_url.split(":")[2].split("/")[0]
        monkeypatch.setenv("HTTP_PROXY", server.base_url)  # which would connect for whoever asks
        async with JudgeRoster(OWN, JudgeKeys(OWN, KEYS, {}), []) as roster:
            with pytest.raises(JudgeUnavailableError) as error:
                await roster.judge_of(JudgeModel(model="m", base_url=f"http://{host}:{port}/v1")).ask(QUESTION)
        assert error.value.code in {"judge_address_forbidden", "judge_unreachable"}
        assert server.asked == []
        if host == "127.0.0.1":
            assert error.value.code == "judge_address_forbidden"
            assert "SIGNOFF_JUDGE_NETWORKS" in str(error.value)

    @pytest.mark.parametrize("pair", [True, False])
    async def test_an_allowed_one_is_open_and_no_key_goes_there(self, server: FakeJudge, pair: bool) -> None:
        allowed = parse_allowed(server.base_url.split("/")[2] if pair else "127.0.0.0/8")
        async with JudgeRoster(OWN, JudgeKeys(OWN, KEYS, {}), allowed) as roster:
            assert (await roster.judge_of(JudgeModel(model="m", base_url=server.base_url)).ask(QUESTION)).text
        assert server.headers[0]["Authorization"] == f"Bearer {NO_KEY}"


async def test_one_client_serves_a_model_and_those_long_unused_are_closed_once_they_have_answered(
    server: FakeJudge, roster: JudgeRoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "JUDGES_MAX", 2)
    begun, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(request: Any, body: Any) -> Any:
        begun.set()
        await may_answer.wait()
        return await fake.ok()(request, body)

    server.plays(slow, fake.ok())
    first = JudgeModel(model="m1")
    assert await roster.find(first) is await roster.find(first.model_copy(update={"input_usd": 1.0, "family": "x"}))
    asked = asyncio.create_task(roster.judge_of(first).ask(QUESTION))
    await begun.wait()
    kept = await roster.find(first)
    for number in range(2, 5):
        await roster.judge_of(JudgeModel(model=f"m{number}")).ask(QUESTION)
    may_answer.set()
    assert (await asked).text
    assert await roster.find(first) is not kept


class FakeJudgings:
    """Grants everything by one policy, at one submission."""

    def __init__(self, **terms: Any) -> None:
        self.terms = terms

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant]:
        del owner, room
        event = ResultProduced.model_validate_json(claims[0].result)
        key = lease(event.execution_id, 7, KeyUse.JUDGING)
        asked = {"acceptance_criteria": event.acceptance_criteria, "result_hash": event.result_hash}
        return [Grant(lease=key, lease_s=60.0, **asked, **self.terms)]


async def report_of(judge: StandIn, **terms: Any) -> Any:
    """What the validator reports of a result that it was granted on these terms."""
    publisher, worker = FakePublisher(), Worker("test", FakeLeases(), capacity=10, outcomes_max=100)
    handlers = Handlers(worker, FakeJudgings(**terms), lambda *_: judge, OWN, publisher)  # type: ignore[arg-type]
    result = {"text": "The old bridge carries 40 tonnes"}
    async with working(worker):
        await handlers.on_result_produced([incoming(result_produced(result=result))])
        await until(lambda: publisher.events)
    return publisher.events[0]


class TestGrants:
    async def test_the_granted_policy_and_submission_are_judged_by(self) -> None:
        judge = StandIn(PASS)
        policy = policy_of("quorum", votes=3, loop=LOOP)
        report = await report_of(judge, policy=policy.model_dump_json(), submission=3, submissions=5)
        verdict = report.verdict
        assert (verdict.judge, verdict.submission, verdict.submissions) == ("tried@3", 3, 5)
        assert [stage.kind for stage in verdict.stages] == ["quorum", "refute"]
        assert len(judge.asked) == 4
        assert report.usage.cost_usd == Decimal("0.04")

    async def test_what_may_be_reused_is_named_by_judge_and_policy(self) -> None:
        plain = await report_of(StandIn(PASS))
        other = await report_of(StandIn(PASS), policy=policy_of("single", "a").model_dump_json())
        assert plain.model_and_prompt == OWN.judge_name
        assert other.model_and_prompt == name_judging(OWN.judge_name, "tried@3") == f"{OWN.judge_name} by tried@3"

    @pytest.mark.parametrize(("check", "is_bound"), [("differs", True), ("max_words 200", False)])
    async def test_a_pass_that_rests_on_what_came_before_is_not_reused(self, check: str, is_bound: bool) -> None:
        policy = policy_of("single", "a", loop=[LoopStep(asks=0, check=check)])
        report = await report_of(
            StandIn(PASS), policy=policy.model_dump_json(), submission=2, previous_result_hash=b"another"
        )
        assert report.verdict.is_valid
        assert (report.model_and_prompt is None) == is_bound

    async def test_a_prompt_that_this_version_does_not_have_is_said(self) -> None:
        report = await report_of(StandIn(PASS), policy=policy_of("single", prompt=99).model_dump_json())
        assert (report.kind, report.code) == (ReportKind.FAILED, "judge_prompt_unknown")


class TestDefaultPolicy:
    def test_it_is_what_the_settings_say_without_anything_secret(self) -> None:
        own = OWN.model_copy(update={"base_url": "http://user:sk-secret@judge:1/v1?key=sk-secret"})
        policy = own.policy
        assert "sk-" not in policy.model_dump_json()
        assert (policy.name, policy.stages[1].judges[0].base_url) == ("default", "http://judge:1/v1")
        assert policy.result_max_chars == own.document_max_chars

    def test_a_version_is_never_changed(self) -> None:
        with pytest.raises(ValidationError):
            OWN.policy.version = 2
