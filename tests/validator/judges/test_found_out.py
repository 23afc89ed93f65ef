"""What a server takes of the API is found out by its refusals, once, and remembered; nothing of it makes a pass."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import fake_judge as fake
import pytest
from aiohttp import web
from fake_judge import FakeJudge, Step
from support.fakes import until

from contracts.criteria import Criterion
from servicekit.models import servers
from servicekit.models.forms import ApiName
from servicekit.models.pace import make_metrics
from servicekit.models.servers import Servers
from signoff.status import Outcome
from validator.errors import JudgeUnavailableError, JudgmentError
from validator.judge_config import THINKING_TOKENS, JudgeConfig
from validator.judges.openai import METRICS, OpenAIJudge
from validator.judging import validate_agent_response
from validator.ports import Judge
from validator.prompt import Questions

CRITERIA = "It greets\nIt is kind"
RESULT = {"text": "Hello, world"}
BOTH: list[ApiName] = ["chat", "responses"]

Fault = Callable[[str, dict[str, Any]], str | None]


def lacks(words: str, *fields: str) -> Fault:
    """Refuse requests that have one of these fields, or text."""
    return lambda _, body: words if any(field in json.dumps(body) for field in fields) else None


NO_BOUNDS = lacks("Invalid schema for response_format 'verdict': 'maxLength' is not permitted.", "maxLength")
NO_SCHEMA = lacks("'json_schema' is not supported by this model", '"json_schema"')
NO_OBJECT = lacks("response_format: 'json_object' is not one of ['text']", '"json_object"')
NO_SYSTEM = lacks("does not support 'system'", '"system"', '"instructions"')
NO_DEVELOPER = lacks("Unknown role: 'developer'", '"developer"')
NO_STORE = lacks("Unknown parameter: 'store'", '"store"')
NO_OLD_LIMIT = lacks("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", '"max_tokens"')
NO_HEAT = lacks("Unsupported value: 'temperature' does not support 0 with this model.", '"temperature"')


def config_of(server: FakeJudge, api: ApiName | None, **fields: Any) -> JudgeConfig:
    return JudgeConfig(api_key="sk-test", base_url=server.base_url, model="a-model", api=api, timeout_s=10, **fields)


async def judge(config: JudgeConfig, own: Judge, **fields: Any) -> Any:
    return await validate_agent_response(RESULT, CRITERIA, config, judge=own, **fields)


def describe(body: dict[str, Any]) -> dict[str, Any]:
    """How a request asks, without its texts."""
    shape = body.get("response_format") or body.get("text", {}).get("format") or {"type": "text"}
    messages = body.get("messages") or body["input"]
    role = "system" if "instructions" in body else messages[0]["role"]
    return {"output": shape["type"], "role": role, "bounded": "maxLength" in json.dumps(shape)}


@pytest.mark.parametrize("api", BOTH)
@pytest.mark.parametrize(
    ("faults", "asks"),
    [
        ([], {"output": "json_schema", "role": "system", "bounded": True}),
        ([NO_BOUNDS], {"output": "json_schema", "role": "system", "bounded": False}),
        ([NO_SCHEMA], {"output": "json_object", "role": "system", "bounded": False}),
        ([NO_BOUNDS, NO_SCHEMA, NO_OBJECT], {"output": "text", "role": "system", "bounded": False}),
        ([NO_SYSTEM], {"output": "json_schema", "role": "developer", "bounded": True}),
        ([NO_SYSTEM, NO_DEVELOPER, NO_STORE], {"output": "json_schema", "role": "user", "bounded": True}),
        ([NO_OLD_LIMIT, NO_HEAT], {"output": "json_schema", "role": "system", "bounded": True}),
    ],
)
@pytest.mark.parametrize("status", [400, 422, 501])
async def test_what_is_refused_is_given_up_once(
    server: FakeJudge, api: ApiName, faults: list[Fault], asks: dict[str, Any], status: int
) -> None:
    server.plays(fake.picky(fake.ok(), *faults, code=status))
    config = config_of(server, api, parameters={"temperature": 0})
    async with OpenAIJudge(config) as own:
        for _ in range(3):
            assert (await judge(config, own)).is_valid
    assert describe(server.asked[-1]) == asks
    assert len({json.dumps(describe(body)) for body in server.asked[-3:]}) == 1
    assert len(server.asked) <= 3 + len(faults) + 1


async def test_where_the_schema_is_not_enforced_it_is_told(server: FakeJudge) -> None:
    server.plays(fake.picky(fake.ok(), NO_SCHEMA, NO_OBJECT))
    config = config_of(server, "chat")
    async with OpenAIJudge(config) as own:
        assert (await judge(config, own)).is_valid
    instructions = fake.read_request(server.asked[-1]).instructions
    assert '"additionalProperties":false' in instructions
    assert "response_format" not in server.asked[-1]


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("api", BOTH)
async def test_the_api_is_found_out(server: FakeJudge, api: ApiName, status: int) -> None:
    path = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}[api]
    server.plays(fake.picky(fake.ok(), lambda at, _: None if at == path else "nothing here", code=status))
    config = config_of(server, None)
    async with OpenAIJudge(config) as own:
        for _ in range(2):
            assert (await judge(config, own)).is_valid
    assert len(server.asked) == {"chat": 2, "responses": 3}[api]


@pytest.mark.parametrize(("api", "asked"), [("chat", 1), ("responses", 1), (None, 2)])
async def test_a_server_with_neither_api_delays(server: FakeJudge, api: ApiName | None, asked: int) -> None:
    server.plays(fake.status(404))
    config = config_of(server, api)
    async with OpenAIJudge(config) as own:
        with pytest.raises(JudgeUnavailableError) as error:
            await judge(config, own)
    assert error.value.code == "judge_not_found"
    assert len(server.asked) == asked


@pytest.mark.parametrize("api", BOTH)
async def test_a_refusal_without_a_reason_is_understood_the_first_time(server: FakeJudge, api: ApiName) -> None:
    """422 of a small server that only takes text; the second time it is the question that is refused."""
    step = fake.picky(fake.ok(), lacks("unprocessable", '"json_schema"', '"json_object"'), code=422)
    server.plays(step)
    config = config_of(server, api)
    async with OpenAIJudge(config) as own:
        assert (await judge(config, own)).is_valid
        assert describe(server.asked[-1])["output"] == "text"
        found = len(server.asked)
        server.plays(fake.status(400))
        with pytest.raises(JudgmentError):
            await judge(config, own)
    assert len(server.asked) == found + 2  # the result, and a harmless one


async def test_what_no_form_helps_is_remembered_for_a_while_and_changes_nothing(server: FakeJudge) -> None:
    server.plays(fake.status(400))
    config = config_of(server, "chat")
    async with OpenAIJudge(config) as own:
        with pytest.raises(JudgmentError) as error:
            await judge(config, own)
        assert error.value.code == "judge_request_rejected"
        tried = len(server.asked)
        assert tried < 12
        with pytest.raises(JudgmentError):
            await judge(config, own)
        assert len(server.asked) == tried + 2
        server.plays(fake.ok())
        assert (await judge(config, own)).is_valid
    assert describe(server.asked[-1]) == {"output": "json_schema", "role": "system", "bounded": True}


async def test_words_of_a_result_in_a_refusal_change_nothing_for_others(server: FakeJudge) -> None:
    """An API that repeats what it refuses: the words name the schema, but no other form is taken either."""

    async def refuse_this(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if "maxLength" in json.dumps(fake.read_request(body).result):
            return await fake.picky(fake.ok(), lambda *_: "refused: 'maxLength' json_schema 'system'")(request, body)
        return await fake.ok()(request, body)

    server.plays(refuse_this)
    config = config_of(server, "chat")
    async with OpenAIJudge(config) as own:
        verdict = await validate_agent_response({"text": "maxLength"}, CRITERIA, config, judge=own)
        assert (verdict.is_valid, verdict.judge_error) == (False, "judge_request_rejected")
        assert (await judge(config, own)).is_valid
    assert describe(server.asked[-1]) == {"output": "json_schema", "role": "system", "bounded": True}


async def test_many_that_are_refused_at_once_find_out_once(server: FakeJudge) -> None:
    server.plays(fake.picky(fake.ok(), NO_BOUNDS, NO_SCHEMA, NO_OBJECT, NO_SYSTEM))
    config = config_of(server, "chat")
    async with OpenAIJudge(config) as own:
        verdicts = await asyncio.gather(*(judge(config, own) for _ in range(10)))
    assert all(verdict.is_valid for verdict in verdicts)
    assert len(server.asked) <= 10 + 10 + 4  # each is refused once, and one looks for what is taken


async def test_judges_of_one_process_share_what_is_known(server: FakeJudge) -> None:
    server.plays(fake.picky(fake.ok(), NO_SCHEMA))
    config, shared = config_of(server, "chat"), Servers(METRICS)
    for _ in range(2):
        async with OpenAIJudge(config, shared) as own:
            assert (await judge(config, own)).is_valid
    assert [describe(body)["output"] for body in server.asked] == ["json_schema", "json_object", "json_object"]
    other = config.model_copy(update={"model": "another"})
    async with OpenAIJudge(other, shared) as own:
        assert (await judge(other, own)).is_valid
    assert describe(server.asked[3])["output"] == "json_schema"


async def test_what_was_given_up_is_tried_again_by_one(server: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    server.plays(fake.picky(fake.ok(), NO_SCHEMA))
    config = config_of(server, "chat")
    async with OpenAIJudge(config) as own:
        assert (await judge(config, own)).is_valid
        monkeypatch.setattr(servers, "TRY_AGAIN_S", -1.0)
        assert (await judge(config, own)).is_valid
        server.plays(fake.ok())
        assert (await judge(config, own)).is_valid
    assert [describe(body)["output"] for body in server.asked] == [
        *("json_schema", "json_object"),
        *("json_schema", "json_object"),
        "json_schema",
    ]


async def test_what_was_asked_before_does_not_undo_what_was_found_since(
    server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow answer in the weaker form comes after the best form was taken again."""
    server.plays(fake.picky(fake.ok(), NO_SCHEMA))
    config, held = config_of(server, "chat"), asyncio.Event()

    async def hold_the_weaker(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if describe(body)["output"] == "json_object":
            await held.wait()
        return await fake.ok()(request, body)

    async with OpenAIJudge(config) as own:
        assert (await judge(config, own)).is_valid
        server.plays(hold_the_weaker)
        slow = asyncio.create_task(judge(config, own))
        await until(lambda: len(server.asked) == 3)
        with monkeypatch.context() as later:
            later.setattr(servers, "TRY_AGAIN_S", -1.0)
            assert (await judge(config, own)).is_valid
        held.set()
        await slow
        assert (await judge(config, own)).is_valid
    assert describe(server.asked[-1])["output"] == "json_schema"


def test_what_is_remembered_is_bounded() -> None:
    known = Servers(METRICS)
    first = known.recall("http://judge/v1", "model-0", None)
    assert known.recall("http://judge/v1", "model-0", None) is first
    for number in range(servers.REMEMBERED_MAX + 1):
        known.recall("http://judge/v1", f"model-{number + 1}", None)
        known.find_gate(f"http://judge-{number}/v1", "key")
    assert known.recall("http://judge/v1", "model-0", None) is not first


def test_servers_that_metrics_name_are_bounded() -> None:
    metrics = make_metrics("bounded", "Requests")
    known = Servers(metrics)
    for number in range(servers.REMEMBERED_MAX + 50):
        known.find_gate(f"http://server-{number}/v1", "key")
    (waiting,) = metrics.waiting.collect()
    names = {sample.labels["server"] for sample in waiting.samples}
    assert (len(names), "others" in names) == (servers.REMEMBERED_MAX + 1, True)


def test_limits_are_a_keys() -> None:
    known = Servers(METRICS)
    gate = known.find_gate("http://judge/v1", "one")
    assert known.find_gate("http://judge/v1", "one") is gate
    assert known.find_gate("http://judge/v1", "other") is not gate
    assert known.find_gate("http://other/v1", "one") is not gate


class TestParameters:
    async def test_are_sent_along(self, server: FakeJudge) -> None:
        config = config_of(server, "chat", parameters={"temperature": 0, "reasoning_effort": "low"})
        async with OpenAIJudge(config) as own:
            assert (await judge(config, own)).is_valid
        assert (server.asked[0]["temperature"], server.asked[0]["reasoning_effort"]) == (0, "low")

    @pytest.mark.parametrize("api", BOTH)
    async def test_never_replace_what_makes_the_question(self, server: FakeJudge, api: ApiName) -> None:
        mine = {
            "model": "x",
            "messages": [],
            "input": "x",
            "instructions": "pass",
            "stream": True,
            "tools": [1],
            "n": 9,
        }
        mine |= {"store": True, "response_format": None, "text": None, "max_tokens": 1, "max_output_tokens": 1}
        config = config_of(server, api, parameters=mine)
        async with OpenAIJudge(config) as own:
            assert (await judge(config, own)).is_valid
        async with OpenAIJudge(config_of(server, api)) as own:
            assert (await judge(config, own)).is_valid
        assert set(server.asked[0]) == set(server.asked[1])
        assert server.asked[0]["model"] == "a-model"


def thinks(api: ApiName, sign: str) -> Step:
    """A model that needs 1,000 tokens for its thoughts, and shows that in one of the known ways."""

    async def step(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if body.get("max_tokens", body.get("max_output_tokens")) > THINKING_TOKENS:
            return await fake.ok()(request, body)
        response = await fake.says({"text": "<think>hm, "}.get(sign, "" if sign == "empty" else "{"), finish="length")(
            request, body
        )
        said = json.loads(response.text or "")
        if api == "responses":
            said["output"] = said["output"][0 if sign == "item" else 1 :]
        if sign == "count":
            said["usage"] = {"output_tokens_details": {"reasoning_tokens": 9}} | {
                "completion_tokens_details": {"reasoning_tokens": 9}
            }
        if sign == "field":
            said["choices"][0]["message"]["reasoning_content"] = "hm"
        return web.json_response(said)

    return step


@pytest.mark.parametrize(
    ("api", "sign"),
    [
        *(("chat", sign) for sign in ("empty", "text", "count", "field")),
        *(("responses", sign) for sign in ("empty", "text", "count", "item")),
    ],
)
async def test_a_model_that_thinks_is_given_room_for_it(server: FakeJudge, api: ApiName, sign: str) -> None:
    server.plays(thinks(api, sign))
    config = config_of(server, api)
    async with OpenAIJudge(config) as own:
        assert (await judge(config, own)).is_valid
        assert len(server.asked) == 2  # the first was cut off
        assert (await judge(config, own)).is_valid
    assert len(server.asked) == 3


@pytest.mark.parametrize("api", BOTH)
async def test_one_that_only_writes_too_much_is_not(server: FakeJudge, api: ApiName) -> None:
    server.plays(thinks(api, "none"))
    config = config_of(server, api)
    async with OpenAIJudge(config) as own:
        with pytest.raises(JudgmentError) as error:
            await judge(config, own)
    assert error.value.code == "judge_incomplete"
    assert {body.get("max_tokens", body.get("max_output_tokens")) for body in server.asked} == {1_500}


@pytest.mark.parametrize("api", BOTH)
async def test_an_answer_in_a_fence_or_after_thoughts_is_read_as_strictly(server: FakeJudge, api: ApiName) -> None:
    config = config_of(server, api)
    good = json.dumps(fake.answer(2, evidence="Hello, world"))
    invented = json.dumps(fake.answer(2, evidence="Goodbye, all of you"))
    async with OpenAIJudge(config) as own:
        server.plays(fake.says(f"<think>well</think>\n```json\n{good}\n```"))
        assert (await judge(config, own)).is_valid
        server.plays(fake.says(f"<think>well</think>\n```json\n{invented}\n```"))
        assert {one.outcome for one in (await judge(config, own)).criteria} == {Outcome.CANNOT_ASSESS}
        server.plays(fake.says(f"The result holds this:\n```json\n{good}\n```"))
        with pytest.raises(JudgmentError):
            await judge(config, own)


async def test_parts_of_text_are_joined(server: FakeJudge) -> None:
    async def in_parts(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        text = json.dumps(fake.answer(2, evidence="Hello, world"))
        parts = [{"type": "thinking"}, {"type": "text", "text": text[:9]}, {"type": "text", "text": text[9:]}]
        return await fake.raw({"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]})(request, body)

    server.plays(in_parts)
    config = config_of(server, "chat")
    async with OpenAIJudge(config) as own:
        assert (await judge(config, own)).is_valid


@pytest.mark.parametrize("api", BOTH)
async def test_a_reply_says_its_id_and_how_long_it_took(server: FakeJudge, api: ApiName) -> None:
    async def with_id(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = await fake.ok()(request, body)
        assert isinstance(response, web.Response)
        return web.json_response(json.loads(response.text or "") | {"id": "body-1"}, headers=headers)

    question = Questions(RESULT).ask([Criterion(text="It greets")])
    server.plays(with_id)
    async with OpenAIJudge(config_of(server, api)) as own:
        headers = {"x-request-id": "req-1"}
        reply = await own.ask(question)
        headers = {}
        assert (reply.request_id, (await own.ask(question)).request_id) == ("req-1", "body-1")
    assert reply.latency_s is not None
    assert 0 < reply.latency_s < 10
