"""While a batch is applied the next one is read: one ahead, and no more."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from jobstore.recovery.rebuild import prepare_ahead


class Source:
    """Counts from 0, and knows how far it was asked."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error = count, error
        self.made, self.is_closed = 0, False

    async def read(self) -> AsyncGenerator[int]:
        try:
            for number in range(self.count):
                self.made += 1
                yield number
            if self.error:
                raise self.error
            await asyncio.sleep(0)
        finally:
            self.is_closed = True


async def settle() -> None:
    """Let every task go on as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_next_one_is_made_while_one_is_used_and_no_more() -> None:
    source, ahead = Source(4), []
    async for number in prepare_ahead(source.read()):
        await settle()
        ahead.append(source.made - number)
    assert ahead == [2, 2, 2, 1]
    assert source.is_closed


async def test_an_error_comes_after_what_was_made_before_it() -> None:
    source, seen = Source(2, ValueError("torn")), list[int]()

    async def use() -> None:
        async for number in prepare_ahead(source.read()):
            await settle()
            seen.append(number)

    with pytest.raises(ValueError, match="torn"):
        await use()
    assert (seen, source.is_closed) == ([0, 1], True)


async def test_whoever_leaves_early_leaves_nothing_behind() -> None:
    source = Source(2, ValueError("never seen"))
    async with aclosing(prepare_ahead(source.read())) as numbers:
        async for number in numbers:
            await settle()
            if number == 1:
                break
    assert source.is_closed
