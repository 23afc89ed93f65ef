"""Whatever becomes of an archiver or of what keeps its objects: each fact is archived once, or not said to be."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.buckets import BUCKET, serve_s3
from support.jobstore.archiving import KEYS, Archiving, name_record
from support.jobstore.losing import LosingConnection, Losses
from support.jobstore.steps import Steps
from support.misbehaving import Misbehaving, misbehave

from jobstore.engine.runner import CommandRunner
from servicekit.archive.objects import Content, Objects
from servicekit.archive.parts import Archive
from servicekit.errors import TransientError


class Killed(BaseException):
    """The process is gone: nothing that it would have done is done."""


class Mortal(Objects):
    """Objects of a process that is killed before or after one of its steps."""

    dies_at = -1
    steps = 0

    def _step(self) -> None:
        if self.steps == self.dies_at:
            raise Killed
        self.steps += 1

    async def put(self, name: str, content: Content) -> None:
        self._step()
        await super().put(name, content)
        self._step()

    async def create(self, name: str, content: bytes) -> bool:
        self._step()
        is_created = await super().create(name, content)
        self._step()
        return is_created

    async def stream(self, name: str) -> AsyncGenerator[bytes]:
        self._step()
        async for piece in super().stream(name):
            yield piece
        self._step()


class Frozen(Objects):
    """Objects of a process that stands still before or after one of its steps, until another one has gone on."""

    stands_at = -1
    steps = 0
    meanwhile: Callable[[], Awaitable[None]]

    async def _step(self) -> None:
        self.steps += 1
        if self.steps == self.stands_at:
            await self.meanwhile()

    async def put(self, name: str, content: Content) -> None:
        await self._step()
        await super().put(name, content)
        await self._step()

    async def create(self, name: str, content: bytes) -> bool:
        await self._step()
        is_created = await super().create(name, content)
        await self._step()
        return is_created

    async def stream(self, name: str) -> AsyncGenerator[bytes]:
        await self._step()
        async for piece in super().stream(name):
            yield piece
        await self._step()


async def check_whole(archiving: Archiving, state: dict[str, Any]) -> None:
    """Each record is archived once, and the database says so."""
    assert sorted(await archiving.read()) == sorted(map(name_record, archiving.topics.records))
    assert state["archived_seq"] == state["published_seq"]
    assert state["archive_error"] is None
    parts = [part.number async for part in archiving.archive.read_chain()]
    assert [row.number for row in await archiving.execute("SELECT number FROM archive_parts ORDER BY number")] == parts


async def test_an_archiver_that_is_killed_between_any_two_steps_loses_and_repeats_nothing(
    published: Archiving, tmp_path: Path
) -> None:
    published.part_bytes = 20_000
    deaths = 0
    while True:
        await published.forget()
        published.folder = tmp_path / f"archive-{deaths}"
        objects = Mortal.open(str(published.folder), creates=True)
        objects.dies_at = deaths
        published.opened = Archive(objects, KEYS, "here")
        try:
            await published.run()
        except Killed:
            published.opened = None
            await check_whole(published, await published.run())
            deaths += 1
        else:
            break
    assert deaths > 20


async def test_an_archiver_that_stood_still_changes_no_part_of_the_one_that_went_on(
    published: Archiving, runner: CommandRunner, tmp_path: Path
) -> None:
    async def go_on() -> None:
        published.opened = None
        await Steps(published.database, runner).created()
        await published.publish()
        await published.run()

    for stands_at in count(1):
        await published.forget()
        published.folder = tmp_path / f"archive-{stands_at}"
        objects = Frozen.open(str(published.folder), creates=True)
        objects.stands_at, objects.meanwhile = stands_at, go_on
        published.opened = Archive(objects, KEYS, "here")
        with suppress(TransientError):  # the other one was faster
            await published.run()
        published.opened = None
        await check_whole(published, await published.run())
        if objects.steps < stands_at:
            break
    assert stands_at > 8


async def test_an_archiver_that_loses_its_connection_at_any_statement_loses_and_repeats_nothing(
    published: Archiving, tmp_path: Path
) -> None:
    losses = 0
    while True:
        await published.forget()
        published.folder = tmp_path / f"archive-{losses}"
        async with published.database.session() as session:
            try:
                await published.archiver.archive(LosingConnection(session, Losses(losses)))
            except TransientError:
                losses += 1
            else:
                break
        await check_whole(published, await published.run())
    assert losses >= 8


@pytest.fixture
def trouble(published: Archiving, tmp_path: Path) -> Iterator[Misbehaving]:
    """A server of S3 behind one that misbehaves when it is told to, and the archive there."""
    with serve_s3() as url, misbehave(url) as trouble:
        published.opened = Archive(Objects.open(f"s3://{BUCKET}/{tmp_path.name}", timeout_s=1.0), KEYS, "here")
        yield trouble


@pytest.mark.parametrize("how", ["away", "slow", "full", "forbids"])
async def test_a_bucket_that_does_not_take_a_part_is_named_and_gets_it_later(
    published: Archiving, trouble: Misbehaving, how: str
) -> None:
    trouble.how = how

    with pytest.raises(TransientError, match=f"s3://{BUCKET}/.* cannot be read or written") as caught:
        await published.run()

    assert caught.value.code == "archive_unavailable"
    state = await published.state()
    assert (state["part"], state["archived_seq"]) == (0, 0)
    assert str(caught.value) == state["archive_error"]
    trouble.how = None
    await check_whole(published, await published.run())


@pytest.mark.parametrize("how", ["forgets", "truncates", "flips"])
async def test_a_bucket_that_lies_about_what_it_took_is_named(
    published: Archiving, trouble: Misbehaving, how: str
) -> None:
    trouble.how = how

    state = await published.run()

    assert "part 1 of the archive" in state["archive_error"]
    assert (state["part"], state["archived_seq"]) == (0, 0)
    trouble.how = None
    await check_whole(published, await published.run())
