"""Reads server-sent events."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Event:
    name: str
    data: dict[str, Any]
    id: int | None


class Stream:
    def __init__(self, answer):
        self._answer = answer

    async def next(self) -> Event:
        fields = {}
        while (line := (await self._answer.content.readline()).decode()) != "\n" or "event" not in fields:
            if not line:
                raise EOFError
            if line != "\n":
                name, _, value = line.strip().partition(": ")
                fields[name] = value
        place = fields.get("id")
        return Event(fields["event"], json.loads(fields["data"]), None if place is None else int(place))

    async def take(self, count: int) -> list[Event]:
        return [await self.next() for _ in range(count)]


@asynccontextmanager
async def stream(http, url="/api/events", **headers):
    async with http.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        yield Stream(answer)
