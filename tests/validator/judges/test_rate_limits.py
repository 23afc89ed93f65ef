"""Rate limits are met, not fought: many judgements behind one key are refused a few times, and all are judged."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import fake_judge as fake
import pytest
from aiohttp import web
from fake_judge import FakeJudge

from contracts.criteria import Criterion
from servicekit.models import pace
from servicekit.models.servers import Servers
from validator.errors import JudgeUnavailableError
from validator.judge_config import JudgeConfig
from validator.judges.openai import METRICS, OpenAIJudge
from validator.judging import RetryingJudge
from validator.prompt import Question, Questions

CRITERION = Criterion(text="It greets")


def question() -> Question:
    return Questions({"text": "Hello, world"}).ask([CRITERION])


class Limited:
    """A server with a quota of requests that fills evenly, one for all who ask; it says so or not."""

    def __init__(self, most: int, a_second: float, *, says: bool = True, status: int = 429) -> None:
        self.most = most
        self.a_second = a_second
        self.says = says
        self.status = status
        self.refused = 0
        self._left, self._at = float(most), time.monotonic()

    async def __call__(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        now = time.monotonic()
        self._left = min(self.most, self._left + (now - self._at) * self.a_second)
        self._at = now
        headers = {}
        if taken := self._left >= 1:
            self._left -= 1
        if self.says:
            headers = {
                "x-ratelimit-limit-requests": f"{self.most}",
                "x-ratelimit-remaining-requests": f"{math.floor(self._left)}",
                "x-ratelimit-reset-requests": f"{(self.most - self._left) / self.a_second:.3f}s",
            }
        if taken:
            response = await fake.ok()(request, body)
            response.headers.update(headers)
            return response
        self.refused += 1
        headers |= {"Retry-After": f"{(1 - self._left) / self.a_second:.3f}"} if self.says else {}
        return await fake.status(self.status, "rate_limit_exceeded", headers)(request, body)


@asynccontextmanager
async def validators(server: FakeJudge, many: int, key: str = "sk-shared") -> AsyncIterator[list[OpenAIJudge]]:
    """Several, of which each knows only what it was told itself."""
    config = JudgeConfig(api_key=key, base_url=server.base_url, timeout_s=10)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(OpenAIJudge(config, Servers(METRICS))) for _ in range(many)]


async def ask_all(judges: list[OpenAIJudge], many: int) -> None:
    """Ask as many questions at once, as workers do: each until it is answered."""
    patient = [RetryingJudge(judge, []) for judge in judges]
    await asyncio.gather(*(patient[number % len(patient)].ask(question()) for number in range(many)))


@pytest.mark.parametrize("many", [1, 3])
async def test_what_the_server_says_is_kept(server: FakeJudge, many: int) -> None:
    """200 at once, of a quota of 60 and 100 more a second: without a pace nearly all are refused, again and again."""
    limited = Limited(60, 100)
    server.plays(limited)
    async with validators(server, many) as judges:
        await ask_all(judges, 200)
    assert len(server.asked) == 200 + limited.refused
    assert limited.refused <= {1: 40, 3: 90}[many]  # before, 283 and 185


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_server_that_says_nothing_is_felt_for(
    server: FakeJudge, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PAUSE_FIRST_S", 0.05)
    limited = Limited(30, 30, says=False, status=status)
    server.plays(limited)
    async with validators(server, 1) as judges:
        await ask_all(judges, 100)
    assert limited.refused <= 150  # by the window alone: nothing is learned from a refusal, which may mean a bad moment


async def test_what_was_refused_is_told_with_the_answer_that_came_in_the_end(
    server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr("servicekit.retry.BACKOFF_FIRST_S", 0.01)
    server.plays(fake.hangs_up(), fake.status(503), fake.status(429), fake.ok())
    async with validators(server, 1) as judges:
        reply = await RetryingJudge(judges[0], []).ask(question())
    assert (reply.refused, reply.last_refusal) == (3, "429")


async def test_one_key_does_not_wait_for_another(server: FakeJudge) -> None:
    async def refuse_the_first(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        is_first = "sk-1" in request.headers["Authorization"]
        return await (fake.status(429, headers={"Retry-After": "60"}) if is_first else fake.ok())(request, body)

    server.plays(refuse_the_first)
    shared = Servers(METRICS)
    config = JudgeConfig(api_key="sk-1", base_url=server.base_url)
    async with (
        OpenAIJudge(config, shared) as refused,
        OpenAIJudge(config.model_copy(update={"model": "another"}), shared) as sibling,
        OpenAIJudge(config.model_copy(update={"api_key": "sk-2"}), shared) as free,
    ):
        with pytest.raises(JudgeUnavailableError):
            await refused.ask(question())
        waiting = asyncio.create_task(sibling.ask(question()))
        await free.ask(question())
        assert len(server.asked) == 2
        waiting.cancel()


async def answers(judge: OpenAIJudge) -> bool:
    """Return whether a judge answers in its time, which a busy machine may need for itself."""
    with suppress(JudgeUnavailableError):
        await judge.ask(question())
        return True
    return False


@pytest.mark.parametrize("step", [fake.hangs_up(), fake.status(500), fake.status(401), fake.hangs()])
async def test_a_failure_of_another_kind_keeps_no_place(server: FakeJudge, step: fake.Step) -> None:
    config = JudgeConfig(api_key="k", base_url=server.base_url, timeout_s=0.05)
    server.plays(step)
    async with OpenAIJudge(config) as own:
        for _ in range(int(pace.WINDOW_FIRST) + 1):
            with pytest.raises(JudgeUnavailableError):
                await own.ask(question())
        server.plays(fake.ok())
        async with asyncio.timeout(60):
            while not await answers(own):
                pass
