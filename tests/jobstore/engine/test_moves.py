"""A transaction is read by going from module to module: there are few, and few ways between them."""

from tracing.carry_out import trace_claim

from jobstore.engine.runner import CommandRunner

MODULES_MAX = 27
MOVES_MAX = 110


async def test_a_claim_enters_few_modules_and_moves_between_them_seldom(runner: CommandRunner) -> None:
    moves = (await trace_claim(runner, "writer")).moves
    entered = {module for _, module in moves}
    assert (len(entered) <= MODULES_MAX, len(moves) <= MOVES_MAX) == (True, True), (len(entered), len(moves))
