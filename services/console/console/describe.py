"""Print the OpenAPI document, from which the page's types are made: `python -m console.describe`."""

import asyncio
import json

from console.api.auth import Sessions
from console.app import create_app
from console.live import LiveHub
from signoff import AsyncClient


async def describe() -> str:
    """Return the OpenAPI document as JSON; no jobstore is needed."""
    async with AsyncClient("localhost:1", "none") as jobstore:
        return json.dumps(
            create_app(jobstore, LiveHub(jobstore), Sessions([bytes(32)], 0)).openapi(), indent=2, ensure_ascii=False
        )


if __name__ == "__main__":
    print(asyncio.run(describe()))  # noqa: T201
