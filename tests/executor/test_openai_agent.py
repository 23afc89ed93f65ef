"""A model behind OpenAI's API: what it is asked, what its answer becomes, and how everything that goes wrong ends."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from support import fake_model as fake
from support.factories import execute_requested, grant, incoming_request, lease
from support.fake_model import FakeModel, Step
from support.fakes import until

from contracts.events import JobStatusReported, ResultProduced
from contracts.spending import Budget
from executor.errors import AgentBusyError
from executor.openai_agents import OpenAIAgent, join_url
from executor.ports import Call
from executor.work import STOP_TIMEOUT_S
from signoff.jsontext import json_text
from signoff.status import Delivery, Protocol, ReportKind

USAGE = {"prompt_tokens": 20, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}}
SCHEMA = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
BLUE = json.dumps({"colour": "blue"})
BACKGROUND = {"background": True}
REQUEST = {
    "title": "Name it",
    "description": "A colour",
    "payload": {"city": "Oslo", "hostile": "{{title}}"},
    "feedback": None,
}


@pytest.fixture
async def model() -> AsyncIterator[FakeModel]:
    model = FakeModel()
    await model.start()
    yield model
    await model.stop()


@pytest.fixture(params=["chat", "responses"])
def api(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def ask(model: FakeModel, outcome: Callable[..., Any]) -> Callable[..., Any]:
    """What is reported of one call of an agent with these settings."""

    async def run(settings: dict[str, Any] | None = None, **fields: Any) -> Any:
        given = {"url": model.base_url, "request": REQUEST, **fields}
        return await outcome(protocol=Protocol.OPENAI, settings={"model": "m", **(settings or {})}, **given)

    return run


class TestTheRequest:
    async def test_has_the_template_with_its_values_and_the_instructions(self, model, ask, api) -> None:
        template = "{{title}} of {{payload.city}}: {{payload.hostile}}, {{payload.none}}, {{payload}}"
        result = await ask({"api": api, "instructions": "One word.", "template": template})
        assert isinstance(result, ResultProduced)
        assert result.result == "It is blue."
        (asked,) = model.asked
        task = f"Name it of Oslo: {{{{title}}}}, null, {json_text(REQUEST['payload'])}"
        if api == "chat":
            said = [{"role": "system", "content": "One word."}, {"role": "user", "content": task}]
            assert asked == {"model": "m", "messages": said}
        else:
            said = [{"role": "user", "content": task}]
            assert asked == {"model": "m", "instructions": "One word.", "input": said, "store": False}

    async def test_has_all_of_the_task_where_there_is_no_template(self, model, ask) -> None:
        await ask({"api": "chat"})
        (message,) = model.asked[0]["messages"]
        for words in ("Name it", "A colour", 'Says "blue"', '"Oslo"'):
            assert words in message["content"]

    async def test_asks_for_json_by_the_schema(self, model, ask, api) -> None:
        model.plays(fake.says(BLUE))
        result = await ask({"api": api, "schema": SCHEMA})
        assert result.result == {"colour": "blue"}
        asked = model.asked[0]
        form = asked["response_format"]["json_schema"] if api == "chat" else asked["text"]["format"]
        assert form["schema"] == SCHEMA

    async def test_has_parameters_and_tools_of_responses(self, model, ask) -> None:
        tools = [{"type": "web_search"}, {"type": "mcp", "server_url": "https://tools.example/"}]
        await ask({"api": "responses", "parameters": {"temperature": 0, "tools": tools}})
        assert (model.asked[0]["temperature"], model.asked[0]["tools"]) == (0, tools)

    @pytest.mark.parametrize(
        ("budget", "own", "bound"),
        [(500, None, 400), (500, 50, 50), (500, 9_000, 400), (None, 50, 50), (101, None, 16)],
    )
    async def test_is_bounded_by_what_is_left_of_the_budget(self, model, ask, api, budget, own, bound) -> None:
        parameters = {} if own is None else {"parameters": {"max_tokens": own}}
        await ask({"api": api, **parameters}, budget=Budget(tokens=budget, spent_tokens=100 if budget else 0))
        asked = model.asked[0]
        assert asked["max_tokens" if api == "chat" else "max_output_tokens"] == bound
        assert len({"max_tokens", "max_completion_tokens", "max_output_tokens"} & asked.keys()) == 1

    @pytest.mark.parametrize("has_header", [False, True])
    async def test_has_its_key_by_reference_and_nothing_of_ours(self, model, ask, environ, has_header) -> None:
        environ["SIGNOFF_AGENT_KEY"] = "Bearer sk-secret"
        await ask(headers={"Authorization": "env:SIGNOFF_AGENT_KEY"} if has_header else {})
        sent = model.headers[0]
        assert sent.get("Authorization") == ("Bearer sk-secret" if has_header else None)
        assert [name for name in sent if name.startswith("Signoff")] == []

    def test_keeps_the_query_of_its_base(self) -> None:
        assert join_url("https://a/v1/?api-version=1", "responses") == "https://a/v1/responses?api-version=1"


class TestUsage:
    async def test_and_its_price_are_of_the_answer(self, model, ask) -> None:
        model.plays(fake.charges(fake.says("blue"), USAGE))
        usage = (await ask()).usage
        assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (20, 7, 5)
        assert usage.model == "gpt-4o-mini"
        assert usage.cost_usd > 0

    async def test_is_spent_by_an_answer_that_is_of_no_use(self, model, ask) -> None:
        model.plays(fake.charges(fake.says("blue", finish="length"), USAGE))
        failed = await ask()
        assert (failed.code, failed.usage.output_tokens) == ("agent_truncated", 7)

    @pytest.mark.parametrize("usage", ["many", [], {"prompt_tokens": -1}, {"prompt_tokens": "x"}])
    async def test_that_is_malformed_is_ignored(self, model, ask, usage) -> None:
        model.plays(fake.charges(fake.says("blue"), usage))
        assert (await ask()).usage is None


def shape(**members: Any) -> Step:
    return fake.raw({"id": "x", "model": "m", **members})


#: What the server does, by API: the code, and whether another call follows.
ENDS: dict[str, tuple[Step, str, bool]] = {
    "a refusal": (fake.refuses(), "agent_refused", False),
    "cut off": (fake.says("It is", finish="length"), "agent_truncated", False),
    "a content filter": (fake.says("", finish="content_filter"), "agent_content_filtered", False),
    "a content filter of the request": (fake.status(400, "content_filter"), "agent_content_filtered", False),
    "no text": (fake.says(""), "agent_output_invalid", True),
    "no choices": (shape(choices=[], output=[]), "agent_output_invalid", True),
    "another shape": (shape(choices={}, output={}), "agent_output_invalid", True),
    "a list": (fake.raw([]), "agent_output_invalid", True),
    "an error with 200": (fake.raw({"error": {"code": "server_error", "message": "x"}}), "agent_failed", True),
    "HTML": (fake.html(), "agent_invalid_json", False),
    "half of its JSON": (fake.cut_off(fake.says("It is blue.")), "agent_invalid_json", False),
    "100 MB": (fake.floods(), "result_too_large", False),
    "a bomb": (fake.bomb(), "result_too_large", False),
    "a large text": (fake.says("x" * 150_000), "result_too_large", False),
    "a drip": (fake.drips(), "agent_timeout", True),
    "silence": (fake.hangs(), "agent_timeout", True),
    "it hangs up": (fake.hangs_up(), "agent_connection_lost", True),
    "no HTTP": (fake.no_http(), "agent_connection_lost", True),
    "429": (fake.status(429, "rate_limit_exceeded"), "agent_status", True),
    "429 and a wait": (fake.status(429, headers={"Retry-After": "7"}), "agent_status", True),
    "429 for its quota": (fake.status(429, "insufficient_quota"), "agent_quota_exhausted", False),
    "500": (fake.status(500), "agent_status", True),
    "503": (fake.status(503), "agent_status", True),
    "500 and HTML": (fake.html(500), "agent_status", True),
    "401": (fake.status(401, "invalid_api_key"), "agent_status", False),
    "no such model": (fake.status(404, "model_not_found"), "agent_status", False),
    "no such version": (fake.status(404, "unsupported_api_version"), "agent_status", False),
    "a wrong request": (fake.status(400, "invalid_prompt"), "agent_status", False),
    "a redirect": (fake.status(307, headers={"Location": "http://127.0.0.1:1/"}), "agent_redirect", False),
}


@pytest.mark.parametrize("name", ENDS)
async def test_what_goes_wrong_ends_in_a_code_that_says_whether_another_call_follows(model, ask, api, name) -> None:
    step, code, is_retryable = ENDS[name]
    model.plays(step)
    failed = await ask({"api": api}, policy={"attempt_timeout_s": 0.3 if code == "agent_timeout" else 30.0})
    assert isinstance(failed, JobStatusReported)
    assert (failed.code, failed.retryable) == (code, is_retryable)


@pytest.mark.parametrize(
    ("failed", "code", "is_retryable"),
    [
        (fake.fails("server_error"), "agent_failed", True),
        (fake.fails("rate_limit_exceeded"), "agent_failed", True),
        (fake.fails("invalid_prompt"), "agent_failed", False),
        (fake.fails("insufficient_quota"), "agent_quota_exhausted", False),
        (fake.fails("", state="cancelled"), "agent_failed", False),
        (fake.raw({"status": "failed", "error": "text"}), "agent_failed", False),
    ],
)
@pytest.mark.parametrize("background", [False, True])
async def test_a_response_that_failed_with_200_says_why(model, ask, failed, code, is_retryable, background) -> None:
    model.plays(fake.goes_on(failed) if background else failed)
    report = await ask({"api": "responses", "background": background})
    assert (report.code, report.retryable) == (code, is_retryable)


@pytest.mark.parametrize("said", ["blue", '{"colour": 1}', "{}", '{"colour": "blue"', "NaN", "[" * 200 + "]" * 200])
async def test_what_is_no_json_by_the_schema_is_no_result(model, ask, api, said) -> None:
    model.plays(fake.says(said))
    failed = await ask({"api": api, "schema": SCHEMA})
    assert (failed.code, failed.retryable) == ("agent_output_invalid", True)


def explode(levels: int) -> dict[str, Any]:
    """Each level refers to the next one twice."""
    twice = [{"allOf": [{"$ref": f"#/$defs/l{level + 1}"}] * 2} for level in range(levels)]
    return {"$ref": "#/$defs/l0", "$defs": {f"l{n}": each for n, each in enumerate([*twice, {"type": "object"}])}}


@pytest.mark.parametrize(
    "schema", [explode(60), {"anyOf": [{"properties": {"a": {"$ref": "#"}}}] * 2, "$ref": "#"}], ids=["wide", "endless"]
)
async def test_a_schema_that_would_take_for_ever_holds_up_nobody(model, ask, schema) -> None:
    model.plays(fake.says('{"a": {"a": {"a": 1}}}'))
    async with asyncio.timeout(30):
        assert (await ask({"schema": schema})).result == {"a": {"a": {"a": 1}}}


async def test_a_secret_that_the_server_repeats_is_not_reported(model, ask, environ) -> None:
    environ["SIGNOFF_AGENT_KEY"] = "Bearer sk-secret"
    model.plays(fake.status(401, "invalid_api_key"))  # "no, sk-secret"
    failed = await ask(headers={"Authorization": "env:SIGNOFF_AGENT_KEY"})
    assert "no, ***" in failed.message


async def test_an_address_with_no_api_is_told_as_it_was_asked(model, ask) -> None:
    model.plays(fake.status(404))
    failed = await ask({"api": "chat"})
    assert f"asked at {model.base_url}/chat/completions: an agent's URL is the server's base" in failed.message
    model.plays(fake.status(404, "model_not_found"))
    assert "asked at" not in (await ask({"api": "chat"})).message


async def test_a_wait_that_the_server_asks_for_is_kept(model, ask) -> None:
    model.plays(fake.status(429, headers={"Retry-After": "45"}))
    failed = await ask(policy={"max_calls": 2})
    assert (failed.kind, failed.code) == (ReportKind.ATTEMPT_FAILED, "agent_status")
    assert failed.retry_after_s >= 45


class TestWhatTheServerTakes:
    async def test_is_found_out_and_remembered(self, model, ask) -> None:
        def fault(_: str, body: dict[str, Any]) -> str | None:
            return "Use 'max_completion_tokens', not 'max_tokens'." if "max_tokens" in body else None

        model.plays(fake.picky(fake.says(BLUE), fault))
        for _ in range(2):
            result = await ask({"api": "chat", "parameters": {"max_tokens": 50}})
            assert result.result == BLUE
        assert [("max_tokens" in asked) for asked in model.asked] == [True, False, False]

    async def test_is_responses_where_there_is_no_chat(self, model, ask) -> None:
        model.plays(fake.picky(fake.says("blue"), lambda path, _: "not found" if "chat" in path else None, code=404))
        assert (await ask()).result == "blue"

    async def test_is_a_weaker_format_with_the_schema_in_words(self, model, ask) -> None:
        def fault(_: str, body: dict[str, Any]) -> str | None:
            form = body.get("response_format") or {}
            return "response_format json_schema is not supported" if form.get("type") == "json_schema" else None

        model.plays(fake.picky(fake.says(f"```json\n{BLUE}\n```"), fault))
        assert (await ask({"schema": SCHEMA, "api": "chat"})).result == {"colour": "blue"}
        assert json_text(SCHEMA) in model.asked[-1]["messages"][0]["content"]

    @pytest.mark.parametrize(
        "words",
        [
            "max_tokens is too large: {given}. This model supports at most 4096 completion tokens",
            "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= 4096, but got {given}.",
            "max_tokens: {given} > 4096, which is the maximum allowed number of output tokens",
            "'max_tokens' is too large: {given}. This model's maximum context length is 8192 ({given} > 8192 - 4096).",
        ],
    )
    async def test_is_a_lower_bound_of_tokens_than_the_budget(self, model, ask, words) -> None:
        def fault(_: str, body: dict[str, Any]) -> str | None:
            given = body.get("max_tokens") or body.get("max_output_tokens") or 0
            return words.format(given=given) if given > 4096 else None

        model.plays(fake.picky(fake.says("blue"), fault, error_code="integer_above_max_value"))
        for _ in range(2):
            assert (await ask({"api": "chat"}, budget=Budget(tokens=1_000_000))).result == "blue"
        assert [asked["max_tokens"] for asked in model.asked] == [1_000_000, 4096, 4096]

    async def test_is_never_found_out_by_leaving_out_what_the_agent_asks_for(self, model, ask) -> None:
        def fault(_: str, body: dict[str, Any]) -> str | None:
            return "Unsupported parameter: 'temperature'" if "temperature" in body else None

        model.plays(fake.picky(fake.says("blue"), fault))
        failed = await ask({"api": "chat", "parameters": {"temperature": 0}})
        assert (failed.code, failed.retryable) == ("agent_status", False)
        assert "'temperature'" in failed.message
        assert all("temperature" in asked for asked in model.asked)


class TestInTheBackground:
    async def test_a_response_is_polled_until_it_ends_and_its_id_is_kept(self, model, ask, publisher) -> None:
        model.plays(fake.goes_on(fake.runs(), fake.status(503), fake.runs(), fake.says("It is blue.")))
        result = await ask(BACKGROUND)
        assert result.result == "It is blue."
        assert (len(model.asked), model.polled) == (1, ["resp_1"] * 4)
        assert [report.handle for report in publisher.soon if report.handle] == ["resp_1"]

    async def test_a_server_may_answer_at_once(self, model, ask) -> None:
        model.plays(fake.says("It is blue."))
        assert (await ask(BACKGROUND)).result == "It is blue."

    @pytest.mark.parametrize("number", [{"attempt": 2}, {"spent": 1}, {"follows_only": True}])
    async def test_it_is_followed_and_not_sent_again(self, model, ask, number) -> None:
        model.going_on["resp_9"] = [fake.runs(), fake.says("It is blue.")]
        result = await ask(BACKGROUND, handle="resp_9", policy={"max_calls": 2}, **number)
        assert (result.result, model.asked) == ("It is blue.", [])

    async def test_one_that_failed_is_sent_anew(self, model, ask) -> None:
        model.going_on["resp_9"] = [fake.fails("server_error")]
        model.plays(fake.goes_on(fake.says("It is blue.")))
        result = await ask(BACKGROUND, handle="resp_9", attempt=2)
        assert (result.result, model.polled) == ("It is blue.", ["resp_9", "resp_2"])

    @pytest.mark.parametrize(("follows_only", "asked"), [(False, 1), (True, 0)])
    async def test_one_that_nobody_knows_is_sent_unless_it_may_not(self, model, ask, follows_only, asked) -> None:
        model.plays(fake.goes_on(fake.says("It is blue.")))
        ended = await ask(BACKGROUND, handle="resp_9", attempt=2, follows_only=follows_only)
        assert len(model.asked) == asked
        assert getattr(ended, "code", None) == ("agent_work_unknown" if follows_only else None)

    async def test_one_without_an_id_that_is_called_at_most_once_is_not_sent(self, model, ask) -> None:
        policy = {"delivery": Delivery.AT_MOST_ONCE}
        failed = await ask(BACKGROUND, attempt=2, follows_only=True, policy=policy)
        assert (failed.code, failed.retryable, model.asked) == ("agent_work_unknown", False, [])

    async def test_one_that_outlasts_the_deadline_is_cancelled(self, model, ask) -> None:
        model.plays(fake.goes_on())
        failed = await ask(BACKGROUND, policy={"attempt_timeout_s": 0.5})
        assert failed.code == "agent_timeout"
        await until(lambda: model.cancelled == ["resp_1"])

    async def test_one_that_is_not_in_the_background_ends_with_its_request(self, model, ask) -> None:
        model.plays(fake.hangs())
        began = time.monotonic()
        assert (await ask(policy={"attempt_timeout_s": 0.2})).code == "agent_timeout"
        assert time.monotonic() - began < STOP_TIMEOUT_S

    async def test_one_that_could_not_be_cancelled_afterwards_is_said(self, model, client) -> None:
        model.going_on["resp_1"] = [fake.runs()]
        model.refuses_to_cancel = fake.status(500)
        a_grant = grant(url=model.base_url, protocol=Protocol.OPENAI, settings={"model": "m"})
        with pytest.raises(AgentBusyError):
            await OpenAIAgent(client, 0.1).stop_work(Call(a_grant, handle="resp_1"))
        assert model.cancelled == ["resp_1"]

    async def test_one_that_is_silent_ends_by_its_heartbeat(self, model, ask) -> None:
        model.plays(fake.goes_on(fake.hangs()))
        failed = await ask(BACKGROUND, policy={"heartbeat_timeout_s": 0.3})
        assert failed.code == "agent_heartbeat_timeout"

    async def test_one_that_is_lost_on_the_way_says_so(self, model, ask) -> None:
        model.plays(fake.goes_on(fake.runs(), fake.status(404)))
        failed = await ask(BACKGROUND)
        assert (failed.code, failed.retryable, failed.handle) == ("agent_work_lost", True, "")

    @pytest.mark.parametrize("name", ["HTML", "100 MB", "a refusal", "cut off", "no text"])
    async def test_what_is_wrong_with_a_poll_ends_as_with_an_answer(self, model, ask, name) -> None:
        step, code, is_retryable = ENDS[name]
        model.plays(fake.goes_on(fake.runs(), step))
        failed = await ask(BACKGROUND)
        assert (failed.code, failed.retryable) == (code, is_retryable)

    async def test_a_poll_of_another_shape_is_not_repeated(self, model, ask) -> None:
        model.plays(fake.goes_on(fake.raw([])))
        failed = await ask(BACKGROUND)
        assert (failed.code, failed.retryable) == ("agent_invalid_status", False)

    @pytest.mark.parametrize("response_id", [None, 7, "", "../../admin", "a b", "a?b", "x" * 201, "resp_1\n"])
    async def test_an_id_that_would_lead_elsewhere_is_no_id(self, model, ask, response_id) -> None:
        model.plays(fake.raw({"id": response_id, "status": "queued", "output": []}))
        failed = await ask(BACKGROUND)
        assert failed.code == "agent_invalid_status"
        assert model.polled == []


async def test_many_that_are_refused_wait_at_one_gate(model, handlers, executions, publisher) -> None:
    """A server that says when to come again is not asked by all of them meanwhile."""
    model.plays(fake.status(429, headers={"Retry-After": "0.3"}), fake.says("It is blue."))
    requests = []
    for _ in range(8):
        a_lease = lease()
        given = {"url": model.base_url, "protocol": Protocol.OPENAI, "settings": {"model": "m"}, "request": REQUEST}
        executions.answers[a_lease.execution_id] = grant(lease=a_lease, **given)
        requests.append(incoming_request(execute_requested(execution_id=a_lease.execution_id)))
    await handlers.on_execute_requested(requests)
    await until(lambda: sum(isinstance(event, ResultProduced) for event in publisher.events) == 8)
    assert len(model.asked) <= 9
