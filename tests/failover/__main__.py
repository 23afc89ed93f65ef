"""`make failover`: lose the primary of two servers of PostgreSQL, and tell what goes on, how soon, and what is lost.

Exit status 0 only if nothing acknowledged was lost with a synchronous standby, and jobstores noticed what was without.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import uvloop
from support.replication import replicated

from failover.losses import lose
from failover.system import System, jobs_in, running
from servicekit.patches import survive_lost_connections

#: Seconds from a promotion until jobs are acknowledged again.
WITHIN_S = 15.0
#: Seconds by which the standby is behind where something is to be lost.
BEHIND_S = 2.0
#: Whether commits wait for the standby, and how many seconds it is behind: in the end longer than a statement may take.
_CASES = ((False, 0.0), (False, 0.5), (False, BEHIND_S), (True, 0.0), (True, BEHIND_S), (True, 20.0))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def count_losses(times: int) -> bool:
    """Lose primaries under commits alone, and print what each time was lost."""
    is_good = True
    for synchronous, behind_s in _CASES:
        losses = [await lose(synchronous=synchronous, behind_s=behind_s) for _ in range(times)]
        lost = [each.lost for each in losses]
        say(
            f"{'synchronous' if synchronous else 'asynchronous'}, standby {behind_s:g} s behind: lost {lost} of "
            f"{[each.acknowledged for each in losses]} acknowledged commits, at "
            f"{median(each.commits_s for each in losses):.0f} commits/s; written again "
            f"{[round(each.resumed_s, 2) for each in losses]} s after the promotion was asked for"
        )
        is_good = is_good and not (synchronous and any(lost))
    return is_good


async def keep_all(folder: Path) -> bool:
    """Lose the primary of a synchronous standby under jobs: all that was acknowledged is done, once."""
    async with replicated() as pair, running(folder, pair) as system:
        await pair.replicate_synchronously()
        async with system.asked() as clients:
            await clients.until_answered(100)
            pair.lose()
            killed = time.monotonic()
            await pair.promote()
            promoted = time.monotonic()
            await clients.until_answered(100)
            again = min(answered for asked, answered in clients.times if asked > killed)
        rested = await system.rest(clients.acknowledged)
        calls = max(system.agent.calls.values())
        say(
            f"synchronous, the whole system: {len(clients.acknowledged)} jobs acknowledged, {dict(rested)}; answered "
            f"again {again - killed:.1f} s after the loss, {again - promoted:.1f} s after the promotion; an execution "
            f"was sent to its agent at most {calls} times; clients met {dict(clients.errors)}"
        )
        return {*rested} == {"COMPLETED"} and again - promoted < WITHIN_S


async def lose_some(folder: Path) -> bool:
    """Lose the primary of a standby that is behind: jobstores end, and the facts bring back what they tell of."""
    async with replicated() as pair, running(folder, pair) as system:
        async with system.asked() as clients:
            await clients.until_answered(100)
            pair.link.set("hang")
            await asyncio.sleep(BEHIND_S)
            pair.lose()
            clients.is_over = True
        acknowledged = list(clients.acknowledged)
        await pair.promote()
        noticed_s = await system.until_ended()
        return await _bring_back(system, acknowledged, noticed_s)


async def _bring_back(system: System, acknowledged: list[str], noticed_s: float) -> bool:
    promoted, rebuilt = system.pair.standby.url, system.beside("rebuilt")
    kept = await jobs_in(promoted, acknowledged)
    status, made = await system.signoff("rebuild", "--create", "--database-url", rebuilt)
    again = await jobs_in(rebuilt, acknowledged)
    _, compared = await system.signoff("verify", "--database-url", rebuilt, "--live", promoted)
    say(
        f"asynchronous, the whole system, standby {BEHIND_S:g} s behind: of {len(acknowledged)} jobs acknowledged the "
        f"standby lacks {len(acknowledged) - len(kept)}; a jobstore said database_older_than_facts {noticed_s:.1f} s "
        f"after the promotion; the facts have {len(again)} ({made.get('counts')}); `signoff verify` between both: "
        f"ok={compared.get('ok')}, {len(compared.get('differences', []))} differences told; sent to the agent twice: "
        f"{sum(count > 1 for count in system.agent.calls.values())} of {len(system.agent.calls)} executions"
    )
    return status == 0 and compared.get("ok") is False and len(again) > len(kept)


async def main(times: int) -> int:
    """Do all three; return the exit status."""
    survive_lost_connections()
    good = [await count_losses(times)]
    for part in (keep_all, lose_some):
        with tempfile.TemporaryDirectory(prefix="signoff-failover-") as folder:
            good.append(await part(Path(folder)))
    return 0 if all(good) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="failover", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="how often the primary is lost in each case")
    raise SystemExit(uvloop.run(main(parser.parse_args().times)))
