"""Whoever reads a transaction goes from module to module, and back to none."""

from tracing.carry_out import trace_claim

from jobstore.engine.runner import CommandRunner

STAYS_MAX = 6


async def test_carry_out_stays_in_few_modules_and_returns_to_none(runner: CommandRunner) -> None:
    stays = await trace_claim(runner, "writer")
    assert (len(stays.modules) <= STAYS_MAX, stays.returns) == (True, 0), stays.modules
