"""`make access`: print who may what, as each door answers; exit status 0 only if it is as the table says."""

import asyncio
import sys

from support.real_console import real_console

from access.walk import find_unlisted, walk
from localstack.backing import infrastructure


async def main() -> int:
    """Walk all doors, and print the table and what differs."""
    with infrastructure() as servers:
        async with real_console(servers.postgres) as console:
            report = await walk(console)
    sys.stdout.write(f"{report}\n")
    unlisted = find_unlisted([*report.rows])
    if unlisted:
        sys.stdout.write(f"not walked: {', '.join(sorted(unlisted))}\n")
    return 1 if report.differences or unlisted else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
