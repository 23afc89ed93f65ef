"""`make faults`: the long run. Exit status 0 only when every invariant held and every fault was seen to act."""

import argparse
import logging
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from faults import history
from faults.outcome import Storm
from faults.storm import run
from servicekit.patches import survive_lost_connections


def main() -> int:
    """Run one storm, print what came of it, and keep its history where it went wrong."""
    arguments = _arguments()
    storm = history.read_storm(arguments.replay) if arguments.replay else _storm(arguments)
    for planned in storm.plan if arguments.plan else ():
        sys.stdout.write(f"{planned}\n")
    if arguments.plan:
        return 0
    directory = Path(arguments.dir or tempfile.mkdtemp(prefix="signoff-faults-"))
    directory.mkdir(exist_ok=True)
    logging.basicConfig(filename=directory / "clients.log", level=logging.WARNING, format="%(asctime)s %(message)s")
    survive_lost_connections()
    outcome = uvloop.run(run(storm, directory, arguments.limit_s))
    sys.stdout.write(f"{outcome}\n")
    if arguments.dir or not outcome.is_good:
        kept = directory / "history"
        history.keep(outcome, kept)
        sys.stdout.write(f'logs: {directory}; history: {kept}; again: make faults ARGS="--replay {kept}"\n')
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if outcome.is_good else 1


def _storm(arguments: argparse.Namespace) -> Storm:
    return Storm(
        arguments.seed,
        arguments.jobs,
        arguments.faults,
        arguments.every_s,
        forges_facts=arguments.forged_facts,
        jobstores=arguments.jobstores,
        tenants=arguments.tenants,
        secure=arguments.secure,
        retention=arguments.retention,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    seed = int(os.environ.get("SIGNOFF_FAULTS_SEED") or secrets.randbelow(10**6))
    parser.add_argument("--seed", type=int, default=seed, help="replays a schedule; random unless given")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--jobstores", type=int, default=2)
    parser.add_argument(
        "--secure",
        action="store_true",
        help="Kafka, PostgreSQL and gRPC have TLS, and each service a user of Kafka with its ACLs",
    )
    parser.add_argument(
        "--retention",
        action="store_true",
        help="facts are archived, and jobs removed meanwhile, by retentions and by filters; some are held",
    )
    parser.add_argument("--every-s", type=float, default=4.5, help="seconds between faults, on average")
    parser.add_argument(
        "--forged-facts", action=argparse.BooleanOptionalAction, default=True, help="the adversary forges facts, too"
    )
    parser.add_argument(
        "--tenants",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="one tenant is hostile, with tokens of its own",
    )
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="the storm whose history is kept there, again")
    parser.add_argument("--limit-s", type=float, default=3 * 3600, help="end with an error after so many seconds")
    parser.add_argument(
        "--dir", help="where the stack keeps its data and logs, and the history; temporary unless given"
    )
    parser.add_argument("--plan", action="store_true", help="print the schedule alone")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
