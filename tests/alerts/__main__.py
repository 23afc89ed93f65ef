"""`make alerts`: provoke each alert on the real stack, see it fire in a real Prometheus, mend its cause, see it clear.

The rules are those of the chart, with durations that `alerts.scaled` makes shorter. Before anything is provoked nothing
may fire, also not where one jobstore of two is killed. Exit status 0 only if each alert fired and cleared.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from support.system import Agent, Judge, running

from alerts.faults import ROUNDS, Fault, Stage
from alerts.scaled import CHECKPOINT_EVERY_S, LEAST_S, scale
from alerts.watching import Wanted, Watch
from contracts.resources import NewAgent
from observe.prometheus import serving
from servicekit.patches import survive_lost_connections

RULES = Path(__file__).parents[2] / "deploy/helm/signoff/files/alerts.yml"
#: Seconds within which an alert fires, and, once its cause is mended, clears: of the longest window two thirds more.
FIRES_S, CLEARS_S = 180.0, 300.0
#: Also on a machine that is busy with other things.
START_S = 300.0
#: Of the first part: an idle stack, and one of whose jobstores one is killed.
QUIET_S = 1.5 * LEAST_S


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(folder: Path, only: str) -> int:
    """Do all; return the exit status."""
    survive_lost_connections()
    logging.disable()  # of clients of what is killed and frozen
    began = time.monotonic()
    (folder / "stack").mkdir(parents=True)
    rules = folder / "alerts.yml"
    rules.write_text(scale(RULES.read_text("utf-8")))
    targets = folder / "targets.json"
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "signoff", "file_sd_configs": [{"files": [str(targets)]}]}],
    }
    judge, agent = Judge(), Agent()
    await judge.start()
    settings = {
        "SIGNOFF_ARCHIVE": str(folder / "archive"),
        "SIGNOFF_ARCHIVE_EVERY_S": "1",
        "SIGNOFF_CHECKPOINT_EVERY_S": f"{CHECKPOINT_EVERY_S:g}",
    }
    async with (
        agent.serving(),
        running(folder / "stack", judge, more=["--jobstores", "2"], start_s=START_S, **settings) as system,
        serving(config, folder / "prometheus") as prometheus,
    ):
        stage = Stage(folder, system, judge, targets)
        await system.client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
        stage.scrape()
        say(f"alerts: running after {time.monotonic() - began:.0f} s")
        try:
            async with Watch(prometheus).watching() as watch:
                is_good = await _see_all(stage, watch, only)
        finally:
            await stage.end_more()
    await judge.stop()
    say(f"alerts: {'each fired and cleared' if is_good else 'failed'}, {time.monotonic() - began:.0f} s")
    return 0 if is_good else 1


async def _see_all(stage: Stage, watch: Watch, only: str) -> bool:
    """Provoke one round after the other, wait until all is clear, and print how it went; return whether it is well."""
    is_good = await _stay_quiet(stage, watch)
    for faults in ROUNDS:
        chosen = [fault for fault in faults if only in fault.__name__]
        is_good = await _provoke(stage, watch, chosen) and is_good
    is_good = await watch.until_all_cleared(CLEARS_S) and is_good
    for line in watch.describe():
        say(line)
    return is_good


async def _stay_quiet(stage: Stage, watch: Watch) -> bool:
    """Nothing fires while the stack is idle, nor while a jobstore is killed and starts again."""
    idle = await watch.list_fired_within(QUIET_S)
    stage.system.kill("jobstore")
    killed = await watch.list_fired_within(QUIET_S)
    say(f"alerts: {sorted(idle) or 'none'} fired on an idle stack, {sorted(killed) or 'none'} as a jobstore was killed")
    return not (idle or killed)


async def _provoke(stage: Stage, watch: Watch, faults: list[Fault]) -> bool:
    """Bring about several faults at once, until the alerts of all fire; mend each once its own do."""

    async def bring(fault: Fault) -> bool:
        wanted = [Wanted(alert, labels, fault.words) for alert, labels in fault.alerts]
        async with AsyncExitStack() as block:
            await block.enter_async_context(fault(stage))
            fired = await watch.until_fired(wanted, FIRES_S)
        watch.mended(wanted)
        return fired

    return all(await asyncio.gather(*map(bring, faults)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="alerts", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name has this word")
    parser.add_argument("--dir", type=Path, help="where the stack keeps its data and logs; temporary unless given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="signoff-alerts-") as temporary:
        raise SystemExit(uvloop.run(main(asked.dir or Path(temporary), asked.only)))
