"""The path of one transaction: which modules it moves between, in order, as `carry_out` carries out a claim.

A move is a call from one module of Signoff to another; what libraries do between the two is no move. Printed are the
modules, how often each is entered, and from where.

    .venv/bin/python benchmarks/tracing/carry_out.py
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from uuid import uuid4

from contracts.resources import NewAgent, NewJob, Policy
from jobstore.agents.commands import RegisterAgent
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.claims import ClaimExecution
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF, ExecutionTerms, IdKey
from jobstore.subjects import STORES
from localstack.backing import infrastructure
from signoff.values import new_execution_id

ROOTS = tuple(f"{Path(__file__).parents[2] / part}/" for part in ("services", "proto"))


class Moves:
    """The moves between modules while `carry_out` is under way: (from, to), in order."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, str]] = []
        self._known: dict[int, FrameType] = {}

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Trace what is called within, while `carry_out` is under way."""
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or id(frame) in self._known or not frame.f_code.co_filename.startswith(ROOTS):
            return
        self._known[id(frame)] = frame  # kept, since another frame could have its id: a coroutine is called many times
        caller = _find_caller(frame)
        if caller is None or not _is_within(CommandRunner.carry_out.__code__, frame):
            return
        move = (caller.f_code.co_filename, frame.f_code.co_filename)
        if move[0] != move[1]:
            self.moves.append(move)


def _find_caller(frame: FrameType) -> FrameType | None:
    """Return the nearest caller that is Signoff's, through whatever libraries."""
    caller = frame.f_back
    while caller is not None and not caller.f_code.co_filename.startswith(ROOTS):
        caller = caller.f_back
    return caller


def _is_within(code: CodeType, frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


async def trace_claim(runner: CommandRunner, agent_id: str) -> Moves:
    """Trace a claim of an execution that was requested before, behind one by which statements are composed once."""
    for _ in range(2):
        job_id, execution_id, moves = f"job-{uuid4().hex}", new_execution_id(), Moves()
        new = NewJob(title="A job", acceptance_criteria='Says "blue"', agent_id=agent_id)
        await runner.carry_out([CreateJob(new, job_id, actor=SIGNOFF)])
        await runner.carry_out([ExecuteJob(job_id, execution_id, actor=SIGNOFF)])
        with moves.traced():
            (answer,) = await runner.carry_out([ClaimExecution(execution_id, job_id, uuid4(), 1, actor=SIGNOFF)])
    assert getattr(answer, "grant", None) is not None, answer
    return moves


async def main(postgres: str) -> int:
    """Print the moves of a claim."""
    database = Database(postgres.replace("postgresql://", "postgresql+asyncpg://"))
    await database.migrate()
    terms = ExecutionTerms(Policy(max_submissions=1), lease_s=10.0, offer_again_s=5.0, ids=IdKey(b"0" * 32))
    runner = CommandRunner(database, STORES, terms)
    await runner.administer.run_one(
        RegisterAgent("path", NewAgent(name="path", url="http://127.0.0.1:1/"), actor=SIGNOFF)
    )
    moves = (await trace_claim(runner, "path")).moves
    await database.close()
    entries = Counter(to for _, to in moves)
    for number, (name, count) in enumerate(entries.items(), start=1):
        sources = sorted({_shorten(source) for source, to in moves if to == name})
        print(f"{number}. {_shorten(name)}: {count} from {', '.join(sources)}")
    print(f"{len(entries)} modules, {len(moves)} moves")
    return 0


def _shorten(name: str) -> str:
    return next(name.removeprefix(root) for root in ROOTS if name.startswith(root)).split("/", 1)[1]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with infrastructure() as running:
        sys.exit(asyncio.run(main(running.postgres)))
