"""A whole judgement against a server that misbehaves in every way we know of, on both APIs."""

import json
from typing import Any

import fake_judge as fake
import pytest
from aiohttp import web
from fake_judge import FakeJudge, Step

from contracts.criteria import Criterion
from contracts.evidence import FALSE_QUOTE, NOT_QUOTED
from servicekit.models.forms import ApiName
from signoff.status import Outcome
from validator.errors import JudgeUnavailableError, JudgmentError
from validator.judge_config import JudgeConfig
from validator.judges.openai import OpenAIJudge
from validator.judging import ValidationResult, validate_agent_response
from validator.prompt import PROMPT_VERSION

CRITERIA = "- It greets\noptional: It is kind"
#: What all must be answered: what is optional is asked about apart at last.
REQUIRED = "It greets\nIt is kind"
RESULT = {"text": "Hello, world"}

FAIL_WITH_WRONG_SHAPE = json.dumps(fake.answer(2) | {"reason": 5})


def about_this(step: Step) -> Step:
    """Do something about the result of these tests alone: about anything else answer well."""

    async def either(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return await (step if fake.read_request(body).result == RESULT else fake.ok())(request, body)

    return either


@pytest.fixture(params=["chat", "responses"])
def api(request: pytest.FixtureRequest) -> ApiName:
    return request.param


@pytest.fixture
def config(server: FakeJudge, api: ApiName) -> JudgeConfig:
    return JudgeConfig(api_key="sk-test", base_url=server.base_url, model="a-model", api=api, timeout_s=10)


async def judge(config: JudgeConfig, criteria: str = CRITERIA, **changes: Any) -> ValidationResult:
    return await validate_agent_response(RESULT, criteria, config.model_copy(update=changes))


async def test_a_result_is_judged(server: FakeJudge, config: JudgeConfig) -> None:
    server.plays(fake.ok(evidence="hello world"))
    verdict = await judge(config)
    assert verdict.is_valid
    assert verdict.reason == "because"
    assert verdict.model == f"fake (prompt {PROMPT_VERSION})"
    assert [(c.text, c.outcome, c.required, c.evidence) for c in verdict.criteria] == [
        ("It greets", Outcome.PASS, True, ["hello world"]),
        ("It is kind", Outcome.PASS, False, ["hello world"]),
    ]
    assert server.asked[0]["model"] == "a-model"
    assert server.headers[0]["Authorization"] == "Bearer sk-test"
    assert server.headers[0]["Accept-Encoding"] == "identity"
    assert fake.read_request(server.asked[0]).result == RESULT


@pytest.mark.parametrize("outcome", ["fail", "cannot_assess"])
async def test_what_did_not_pass_is_not_valid(server: FakeJudge, config: JudgeConfig, outcome: str) -> None:
    server.plays(fake.ok(outcome=outcome))
    assert not (await judge(config)).is_valid


class TestEmptyResults:
    @pytest.mark.parametrize("result", [None, "", " \n", {}, [], {"text": ""}, [None, {"a": ["..."]}]])
    async def test_are_not_met_without_asking_anybody(
        self, server: FakeJudge, config: JudgeConfig, result: Any
    ) -> None:
        verdict = await validate_agent_response(result, CRITERIA, config)
        assert not verdict.is_valid
        assert {c.outcome for c in verdict.criteria} == {Outcome.FAIL}
        assert {c.comment for c in verdict.criteria} == {"the result is empty"}
        assert verdict.model is None
        assert server.asked == []

    @pytest.mark.parametrize("result", [None, "", {}, {"text": ""}])
    async def test_are_judged_where_the_policy_says_so(
        self, server: FakeJudge, config: JudgeConfig, result: Any
    ) -> None:
        assert (await validate_agent_response(result, CRITERIA, config, judge_empty=True)).is_valid
        assert len(server.asked) == 1

    @pytest.mark.parametrize("result", [0, False, "x", {"a": [1]}])
    async def test_are_not_those_with_a_number_or_a_letter(
        self, server: FakeJudge, config: JudgeConfig, result: Any
    ) -> None:
        assert (await validate_agent_response(result, CRITERIA, config)).is_valid
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (fake.refuses(), "judge_refused"),
        (fake.says('{"criteria": [{"ind', finish="length"), "judge_incomplete"),
        (fake.says('{"criteria": [{"ind'), "judge_incomplete"),
        (fake.says("", finish="content_filter"), "judge_content_filter"),
        (fake.html(), "judge_invalid_json"),
        (fake.says("Sure! Here is my verdict."), "judge_invalid_json"),
        (fake.says(FAIL_WITH_WRONG_SHAPE), "judge_wrong_shape"),
        (fake.says(""), "judge_wrong_shape"),
        (fake.cut_off(), "judge_incomplete"),
        (fake.says('{"c1": {"evidence" "x"}}'), "judge_invalid_json"),
        (fake.says(json.dumps(fake.answer(2)) + "}"), "judge_invalid_json"),
        (fake.says('{"c1":' * 10_000), "judge_invalid_json"),
        (fake.says("null"), "judge_wrong_shape"),
        (fake.says("[]"), "judge_wrong_shape"),
        (fake.says(json.dumps({"verdict": fake.answer(2)})), "judge_criteria_mismatch"),
        (fake.says(json.dumps(fake.answer(2, outcome="yes"))), "judge_wrong_shape"),
        (fake.raw({"error": {"code": 502, "message": "no, sk-secret"}}), "judge_wrong_shape"),
        (fake.raw({"choices": [], "output": None}), "judge_wrong_shape"),
        (fake.raw({"choices": [{"message": None}], "output": [None]}), "judge_wrong_shape"),
        (fake.raw({"choices": [{"message": {"content": {}}}], "output": "x"}), "judge_wrong_shape"),
        (fake.raw([]), "judge_wrong_shape"),
        (fake.raw({}), "judge_wrong_shape"),
        (fake.says(json.dumps(fake.answer(1))), "judge_criteria_mismatch"),
        (fake.says(json.dumps(fake.answer(3))), "judge_criteria_mismatch"),
        (fake.floods(), "judge_incomplete"),
        (fake.bomb(), "judge_invalid_json"),
    ],
)
class TestNonsense:
    async def test_is_asked_again(self, server: FakeJudge, config: JudgeConfig, step: Step, code: str) -> None:
        server.plays(step, step, fake.ok())
        assert (await judge(config)).is_valid, code
        assert len(server.asked) == 3
        assert not (await judge(config, max_asks=1)).judge_error

    async def test_without_end_is_a_failure(
        self, server: FakeJudge, config: JudgeConfig, step: Step, code: str
    ) -> None:
        server.plays(step)
        with pytest.raises(JudgmentError) as error:
            await judge(config, REQUIRED, max_asks=2)
        assert error.value.code == code
        assert len(server.asked) == 3  # at last about a harmless result

    async def test_about_one_result_is_not_assessed(
        self, server: FakeJudge, config: JudgeConfig, step: Step, code: str
    ) -> None:
        server.plays(about_this(step))
        verdict = await judge(config, REQUIRED, max_asks=2)
        assert {c.outcome for c in verdict.criteria} == {Outcome.CANNOT_ASSESS}
        assert verdict.judge_error == code
        assert len(server.asked) == 3


async def test_a_criterion_answered_twice_is_nonsense(server: FakeJudge, config: JudgeConfig) -> None:
    twice = json.dumps(fake.answer(2)).replace('"c2"', '"c1"')
    server.plays(fake.says(twice))
    with pytest.raises(JudgmentError) as error:
        await judge(config)
    assert error.value.code == "judge_criteria_mismatch"


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress"])
async def test_a_response_that_failed_with_200_is_nonsense(server: FakeJudge, status: str) -> None:
    config = JudgeConfig(api_key="k", base_url=server.base_url, api="responses")
    server.plays(fake.raw({"status": status, "error": {"code": "server_error"}, "output": []}))
    with pytest.raises(JudgmentError) as error:
        await judge(config, REQUIRED)
    assert error.value.code == "judge_failed"
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("step", "code", "retry_after_s"),
    [
        (fake.status(429, headers={"Retry-After": "7"}), "judge_rate_limited", 7.0),
        (fake.status(429, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}), "judge_rate_limited", 3600.0),
        (fake.status(429, headers={"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}), "judge_rate_limited", 0.0),
        (fake.status(429, headers={"Retry-After": "999999999"}), "judge_rate_limited", 3600.0),
        (fake.status(429, headers={"Retry-After-Ms": "250", "Retry-After": "9"}), "judge_rate_limited", 0.25),
        (fake.status(429, headers={"Retry-After": "nan"}), "judge_rate_limited", None),
        (fake.status(429, headers={"Retry-After": "soon"}), "judge_rate_limited", None),
        (fake.status(429, "insufficient_quota"), "judge_quota_exceeded", None),
        (fake.status(500), "judge_unavailable", None),
        (fake.status(503, headers={"Retry-After": "1.5"}), "judge_unavailable", 1.5),
        (fake.status(529), "judge_unavailable", None),
        (fake.status(401, "invalid_api_key"), "judge_unauthorized", None),
        (fake.status(403), "judge_unauthorized", None),
        (fake.status(404, "model_not_found"), "judge_not_found", None),
        (fake.status(302, headers={"Location": "http://127.0.0.1:1/"}), "judge_unavailable", None),
        (fake.html(502), "judge_unavailable", None),
        (fake.floods(500), "judge_unavailable", None),
        (fake.hangs_up(), "judge_unreachable", None),
        (fake.no_http(), "judge_unreachable", None),
    ],
)
async def test_a_judge_that_does_not_answer_delays(
    server: FakeJudge, config: JudgeConfig, step: Step, code: str, retry_after_s: float | None
) -> None:
    server.plays(step)
    with pytest.raises(JudgeUnavailableError) as error:
        await judge(config)
    assert (error.value.code, error.value.retry_after_s) == (code, retry_after_s)
    assert "secret" not in str(error.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize("step", [fake.hangs(), fake.drips()])
async def test_a_call_ends_in_time(server: FakeJudge, config: JudgeConfig, step: Step) -> None:
    server.plays(step)
    with pytest.raises(JudgeUnavailableError) as error:
        await judge(config, timeout_s=0.2)
    assert error.value.code == "judge_timeout"


async def test_a_judge_that_is_not_there_delays(server: FakeJudge, config: JudgeConfig) -> None:
    await server.stop()
    with pytest.raises(JudgeUnavailableError) as error:
        await judge(config)
    assert error.value.code == "judge_unreachable"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_rejected_request_is_not_sent_again(server: FakeJudge, config: JudgeConfig, status: int) -> None:
    server.plays(fake.status(status, "context_length_exceeded"))
    with pytest.raises(JudgmentError, match="context_length_exceeded") as error:
        await judge(config)
    assert error.value.code == "judge_request_rejected"
    assert [fake.read_request(body).result == RESULT for body in server.asked] == [True, False]


async def test_a_result_that_the_judge_rejects_is_not_assessed(server: FakeJudge, config: JudgeConfig) -> None:
    server.plays(about_this(fake.status(400, "content_filter")))
    verdict = await judge(config)
    assert not verdict.is_valid
    assert verdict.judge_error == "judge_request_rejected"
    assert "content_filter" in verdict.reason


async def test_what_a_judge_may_write_is_bounded(server: FakeJudge, config: JudgeConfig) -> None:
    await judge(config, thinking_tokens=100)
    body = server.asked[0]
    assert body.get("max_tokens", body.get("max_output_tokens")) == 100 + 3 * 500


async def test_many_criteria_are_asked_in_parts(server: FakeJudge, config: JudgeConfig) -> None:
    criteria = [Criterion(text=f"Criterion number {n}", kind="never" if n % 3 else "meets") for n in range(45)]
    verdict = await validate_agent_response(RESULT, criteria, config)
    assert verdict.is_valid
    assert [(c.text, c.kind) for c in verdict.criteria] == [(c.text, c.kind) for c in criteria]
    assert [len(fake.read_request(body).criteria) for body in server.asked] == [5] * 9
    assert verdict.reason == "\n".join(["because"] * 9)


async def test_only_what_is_doubtful_is_asked_again(server: FakeJudge, config: JudgeConfig) -> None:
    first = fake.answer(2, evidence="hello world")
    first["c2"]["evidence"] = "Goodbye"
    server.plays(fake.says(json.dumps(first)), fake.ok(reason="another"))
    verdict = await judge(config)
    assert {c.outcome for c in verdict.criteria} == {Outcome.PASS}
    assert verdict.reason == "because"
    asked = [[c["text"] for c in fake.read_request(body).criteria.values()] for body in server.asked]
    assert asked == [["It greets", "It is kind"], ["It is kind"], ["It is kind"]]


async def test_a_judge_that_writes_the_canary_is_not_believed(server: FakeJudge, config: JudgeConfig) -> None:
    async def obey(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        asked = fake.read_request(body)
        first = asked.request.splitlines()[0]
        return await fake.ok(reason=f"As I was told: {first}")(request, body)

    server.plays(about_this(obey))
    verdict = await judge(config)
    assert (verdict.is_valid, verdict.judge_error) == (False, "judge_canary")


@pytest.mark.parametrize("status", [200, 500])
async def test_a_flood_is_not_read(server: FakeJudge, config: JudgeConfig, status: int) -> None:
    server.plays(fake.floods(status))
    with pytest.raises((JudgmentError, JudgeUnavailableError)):
        await judge(config, max_asks=1, answer_max_bytes=10_000)
    assert server.sent_bytes < 20_000_000


class TestInventedEvidence:
    async def test_is_asked_about_twice_more(self, server: FakeJudge, config: JudgeConfig) -> None:
        server.plays(fake.ok(evidence="Goodbye"), fake.ok())
        assert (await judge(config)).is_valid
        assert len(server.asked) == 3

    @pytest.mark.parametrize("evidence", [None, "", "H", '"', "{", "text"])
    async def test_or_none_or_too_little_is_no_pass(
        self, server: FakeJudge, config: JudgeConfig, evidence: str | None
    ) -> None:
        server.plays(fake.ok(evidence=evidence))
        verdict = await judge(config)
        assert {c.outcome for c in verdict.criteria} == {Outcome.CANNOT_ASSESS}
        assert len(server.asked) == 4

    async def test_none_at_first_is_asked_for_once_and_the_judge_is_told(
        self, server: FakeJudge, config: JudgeConfig
    ) -> None:
        server.plays(fake.ok(evidence=None), fake.ok(evidence="Hello"))
        assert (await judge(config)).is_valid
        assert [NOT_QUOTED in json.dumps(body) for body in server.asked] == [False, True]

    async def test_none_of_a_criterion_that_must_never_hold_is_a_pass(
        self, server: FakeJudge, config: JudgeConfig
    ) -> None:
        server.plays(fake.ok(evidence=None))
        verdict = await validate_agent_response(RESULT, "never: It curses", config)
        assert (verdict.criteria[0].outcome, verdict.criteria[0].kind) == (Outcome.PASS, "never")
        assert len(server.asked) == 1

    async def test_repeated_is_no_pass(self, server: FakeJudge, config: JudgeConfig) -> None:
        server.plays(fake.ok(evidence="Goodbye"))
        verdict = await judge(config)
        assert not verdict.is_valid
        assert {c.outcome for c in verdict.criteria} == {Outcome.CANNOT_ASSESS}
        assert all(FALSE_QUOTE in c.comment and c.evidence == [] for c in verdict.criteria)
        assert verdict.judge_error is None
        assert len(server.asked) == 4

    async def test_followed_by_nonsense_is_no_pass(self, server: FakeJudge, config: JudgeConfig) -> None:
        server.plays(fake.ok(evidence="Goodbye"), fake.html())
        assert not (await judge(config, REQUIRED)).is_valid
        assert len(server.asked) == 4

    async def test_followed_by_silence_decides_nothing(self, server: FakeJudge, config: JudgeConfig) -> None:
        server.plays(fake.ok(evidence="Goodbye"), fake.status(500))
        with pytest.raises(JudgeUnavailableError):
            await judge(config)


@pytest.mark.parametrize(
    ("result", "criteria", "code"),
    [
        ("x" * 10_001, CRITERIA, "result_too_large_to_judge"),
        ("x", "y" * 10_001, "result_too_large_to_judge"),
        ("lone \ud800", CRITERIA, "result_not_json"),
        ("x", " \n- \noptional:", "no_criteria"),
        ("x", "optional: It is short", "no_required_criterion"),
    ],
)
async def test_what_cannot_be_judged_is_not_asked_about(
    server: FakeJudge, config: JudgeConfig, result: str, criteria: str, code: str
) -> None:
    limited = config.model_copy(update={"document_max_chars": 10_000})
    with pytest.raises(JudgmentError) as error:
        await validate_agent_response(result, criteria, limited)
    assert error.value.code == code
    assert server.asked == []


async def test_a_long_result_is_judged_as_a_short_one_is(server: FakeJudge, config: JudgeConfig) -> None:
    result = {"text": "A word or two. " * 5_000 + "Hello, world"}
    server.plays(fake.ok(evidence="Two. Hello, world"))
    assert (await validate_agent_response(result, CRITERIA, config)).is_valid


async def test_one_judge_serves_many_calls(server: FakeJudge, config: JudgeConfig) -> None:
    async with OpenAIJudge(config) as own:
        for _ in range(3):
            assert (await validate_agent_response(RESULT, CRITERIA, config, judge=own)).is_valid
    assert len(server.asked) == 3


class TestConfig:
    async def test_may_be_partial(self, server: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert (await validate_agent_response(RESULT, CRITERIA)).is_valid
        assert (await validate_agent_response(RESULT, CRITERIA, {"model": "other"})).is_valid
        assert server.asked[1]["model"] == "other"
        assert server.headers[1]["Authorization"] == "Bearer sk-environment"

    async def test_without_a_key_delays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        monkeypatch.delenv("OPENAI_ADMIN_KEY", raising=False)
        with pytest.raises(JudgeUnavailableError) as error:
            await validate_agent_response(RESULT, CRITERIA)
        assert error.value.code == "judge_not_configured"

    async def test_with_a_misspelt_field_is_wrong(self) -> None:
        with pytest.raises(ValueError, match="modell"):
            await validate_agent_response(RESULT, CRITERIA, {"modell": "x"})

    def test_does_not_show_its_key(self) -> None:
        assert "sk-secret" not in repr(JudgeConfig(api_key="sk-secret"))


async def test_words_of_a_reference_are_marked_in_what_the_judge_said(server: FakeJudge, config: JudgeConfig) -> None:
    server.plays(fake.ok(outcome="fail", reason="It should greet Oslo"))
    terms = {"task": '{"title":"Greet a capital"}', "references": {1: "Greetings to Oslo"}}
    verdict = await validate_agent_response(RESULT, CRITERIA, config, **terms)
    assert (verdict.discloses, [one.discloses for one in verdict.criteria]) == (True, [False, False])
    known = await validate_agent_response({"text": "Hello, Oslo, it greets"}, CRITERIA, config, **terms)
    assert not known.discloses
