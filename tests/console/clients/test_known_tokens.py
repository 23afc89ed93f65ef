"""Bodies are read of whoever has a token that the jobstore accepted lately: also while it is asked again, and busy."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest

from console.api.auth import KNOWN_FOR_S, TRUSTED_FOR_S, KnownTokens
from signoff import SignoffError


class Jobstore:
    """Answers once it is let go, with an error if it has one."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = asyncio.Event()
        self.error: SignoffError | None = None

    def with_token(self, _: str) -> "Jobstore":
        return self

    async def get_caller(self) -> None:
        self.asked += 1
        await self.let_go.wait()
        if self.error:
            raise self.error


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr("console.api.auth.time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
async def jobstore() -> Jobstore:
    return Jobstore()


@pytest.fixture
async def tokens(jobstore: Jobstore) -> KnownTokens:
    """With one that was just accepted; the jobstore answers no more."""
    tokens = KnownTokens(jobstore)  # type: ignore[arg-type]
    jobstore.let_go.set()
    await tokens.check("known")
    jobstore.let_go.clear()
    return tokens


async def test_a_token_that_was_accepted_just_now_is_not_asked_about(tokens, jobstore, clock):
    clock.now += KNOWN_FOR_S
    await tokens.check("known")
    await asyncio.sleep(0)
    assert jobstore.asked == 1


async def test_later_it_is_asked_about_once_and_nobody_waits(tokens, jobstore, clock):
    clock.now += KNOWN_FOR_S + 1
    async with asyncio.timeout(60):
        await asyncio.gather(*(tokens.check("known") for _ in range(3)))
    await asyncio.sleep(0)
    assert jobstore.asked == 2


async def test_of_one_that_is_refused_then_no_more_is_read(tokens, jobstore, clock):
    clock.now += KNOWN_FOR_S + 1
    jobstore.error = SignoffError("unauthenticated", "it is revoked", grpc.StatusCode.UNAUTHENTICATED)
    await tokens.check("known")
    jobstore.let_go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(SignoffError):
        await tokens.check("known")


async def test_that_the_jobstore_does_not_answer_says_nothing_of_a_token(tokens, jobstore, clock):
    clock.now += KNOWN_FOR_S + 1
    jobstore.error = SignoffError("unavailable", "it is away", grpc.StatusCode.UNAVAILABLE)
    jobstore.let_go.set()
    for _ in range(3):
        await tokens.check("known")
        await asyncio.sleep(0)
    assert jobstore.asked == 4


@pytest.mark.parametrize(("token", "later_s"), [("unknown", 0.0), ("known", TRUSTED_FOR_S + 1)])
async def test_who_was_not_accepted_lately_waits(tokens, jobstore, clock, token, later_s):
    clock.now += later_s
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await tokens.check(token)
    jobstore.let_go.set()
    await tokens.check(token)


async def test_who_is_told_that_there_are_too_many_has_shown_a_token_that_is_accepted(tokens, jobstore):
    jobstore.error = SignoffError("too_many_calls", "try again later", grpc.StatusCode.RESOURCE_EXHAUSTED)
    jobstore.let_go.set()
    await tokens.check("unknown until now")
    await tokens.check("unknown until now")
    assert jobstore.asked == 2  # of the fixture's token, and of this one
