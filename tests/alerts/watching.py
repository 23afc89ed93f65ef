"""Watch what fires in Prometheus, and how long it takes to fire and to clear."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from observe.prometheus import Prometheus

LOOK_S = 0.5
#: The disk of the machine, that others fill, too.
FOREIGN = "broker "


@dataclass(eq=False)
class Wanted:
    """An alert with labels that is provoked, and the times at which that began, it fired, was mended and cleared."""

    alert: str
    labels: Mapping[str, str]
    provoked_by: str
    began: float = field(default_factory=time.monotonic)
    fired: float | None = None
    summary: str = ""
    mended: float | None = None
    cleared: float | None = None

    @property
    def name(self) -> str:
        return " ".join([self.alert, *self.labels.values()])

    def is_in(self, firing: Sequence[Mapping[str, Any]]) -> str:
        """Return the summary of this alert if it fires, or an empty text."""
        return next((each["annotations"]["summary"] for each in firing if self._is(each["labels"])), "")

    def _is(self, labels: Mapping[str, str]) -> bool:
        return labels["alertname"] == self.alert and self.labels.items() <= labels.items()


@dataclass
class Watch:
    """What fires, asked for again and again; and what is wanted to."""

    prometheus: Prometheus
    all: list[Wanted] = field(default_factory=list)
    _firing: list[dict[str, Any]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Watch"]:
        looking = asyncio.create_task(self._look())
        try:
            yield self
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                alerts = (await self.prometheus.get("alerts"))["alerts"]
                self._firing = [
                    each
                    for each in alerts
                    if each["state"] == "firing" and not each["labels"].get("storage", "").startswith(FOREIGN)
                ]
                self._note(time.monotonic())
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(LOOK_S)

    def _note(self, now: float) -> None:
        for each in self.all:
            summary = each.is_in(self._firing)
            if summary and each.fired is None:
                each.fired, each.summary = now, summary
            if not summary and each.mended is not None and each.cleared is None:
                each.cleared = now

    async def list_fired_within(self, seconds: float) -> set[str]:
        """Return the names of all alerts that fire within some seconds."""
        until, fired = time.monotonic() + seconds, set[str]()
        while time.monotonic() < until:
            async with self._changed:
                await self._changed.wait()
            fired |= {each["labels"]["alertname"] for each in self._firing}
        return fired

    async def until_fired(self, wanted: Sequence[Wanted], within_s: float) -> bool:
        """Wait until all fire; return whether they did within some seconds."""
        self.all += wanted
        return await self._until(lambda: all(each.fired for each in wanted), within_s)

    def mended(self, wanted: Sequence[Wanted]) -> None:
        """Note that the cause of alerts has been mended just now."""
        for each in wanted:
            each.mended = time.monotonic()

    async def until_all_cleared(self, within_s: float) -> bool:
        """Wait until nothing fires; return whether all that fired had cleared within some seconds."""
        return await self._until(lambda: all(each.cleared for each in self.all) and not self._firing, within_s)

    async def _until(self, is_so: Any, within_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(is_so)
                return True
        return False

    def describe(self) -> Iterator[str]:
        """Yield the lines of a table of all that was provoked, and what still fires."""
        yield "alert | provoked by | fired after | cleared after | summary"
        for each in self.all:
            fired = "never" if each.fired is None else f"{each.fired - each.began:.0f} s"
            is_known = each.cleared is not None and each.mended is not None and each.fired is not None
            cleared = f"{(each.cleared or 0) - (each.mended or 0):.0f} s" if is_known else "never"
            yield f"{each.name} | {each.provoked_by} | {fired} | {cleared} | {each.summary}"
        for left in self._firing:
            yield f"still firing: {left['labels']} {left['annotations']['summary']}"
