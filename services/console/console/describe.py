"""python -m console.describe: print the OpenAPI document, from which the page's types are made."""

import asyncio
import json

from console.app import create_app
from console.live.hub import Live
from contracts.client import JobStoreClient


async def describe() -> str:
    """The document of an application that is connected to nothing."""
    async with JobStoreClient("localhost:1", "none") as jobstore:
        return json.dumps(create_app(jobstore, Live(jobstore)).openapi(), indent=2, ensure_ascii=False)


if __name__ == "__main__":
    print(asyncio.run(describe()))  # noqa: T201
