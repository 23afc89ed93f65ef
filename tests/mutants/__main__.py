"""`make mutants`. Exit status 0 only when every mutant that survives is explained, and every explanation is needed."""

import argparse
import os
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import hypothesis
import pytest

from mutants.parts import PARTS, ROOT
from mutants.running import MutantRunner
from mutants.type_check import find_refused

EXPLAINED = Path(__file__).with_name("explained.toml")
OPTIONS = ["-o", "addopts=", "-q", "-s", "--tb=no", "-m", "not real", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
#: Of these one needs the time limit of each test, which a child has as a whole; the others want files of their own.
PLUGINS_OFF = ["-p", "no:timeout", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:xdist"]


def main() -> int:
    """Make the mutants, run the tests against them, and say which survive without an explanation."""
    arguments = _arguments()
    os.chdir(ROOT)
    read = [(part, part.read_sources(arguments.only)) for part in PARTS]
    sources = [source for _, found in read for source in found]
    tests = sorted({path for part, found in read if found for path in part.tests})
    mutants = [each for source in sources for each in source.mutants()]
    chosen = random.Random(arguments.seed).sample(mutants, round(len(mutants) * arguments.share))
    runner = MutantRunner(sources, chosen, arguments.processes)
    hypothesis.settings.register_profile(
        "mutants",
        max_examples=20,
        derandomize=True,  # what passes against the original must fail for no other reason
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    profile = ["--hypothesis-profile=mutants"]
    status = pytest.main([*OPTIONS, *PLUGINS_OFF, *profile, *tests], plugins=[runner])
    if status != pytest.ExitCode.OK:
        return int(status)
    return _tell(runner, explained(EXPLAINED), is_whole=len(chosen) == len(mutants))


def explained(path: Path) -> Mapping[tuple[str, str, str], str]:
    """Return why mutants may survive, by file, what stood there and what stands there."""
    entries = tomllib.loads(path.read_text("utf-8"))["mutant"]
    return {(entry["file"], entry["before"], entry["after"]): entry["why"] for entry in entries}


def _tell(runner: MutantRunner, known: Mapping[tuple[str, str, str], str], *, is_whole: bool) -> int:
    refused = find_refused(ROOT, [*runner.survivors, *runner.misplaced])
    survivors = {(one.file, *one.change): one for one in runner.survivors if one not in refused}
    unexplained: Sequence[object] = [str(one) for key, one in survivors.items() if key not in known]
    files = {one.file for one in runner.mutants}
    needless = [
        f"{key}: explained, and killed" for key in known if is_whole and key[0] in files and key not in survivors
    ]
    misplaced = [f"misplaced: {one}" for one in runner.misplaced if one not in refused]
    problems = [*unexplained, *needless, *misplaced]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    by_folder = Counter(Path(one.file).parent for one in runner.mutants)
    left = Counter(Path(one.file).parent for one in survivors.values())
    sys.stdout.write("".join(f"{many:6} {left[folder]:4} survive  {folder}\n" for folder, many in by_folder.items()))
    sys.stdout.write(
        f"{len(runner.mutants)} mutants: {len(runner.mutants) - len(survivors) - len(misplaced)} killed, "
        f"{len(refused)} of them by the type checker, {len(survivors) - len(unexplained)} explained, "
        f"{len(problems)} problems\n"
    )
    return 1 if problems else 0


def _arguments() -> argparse.Namespace:
    names = ", ".join(part.name for part in PARTS)
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--only", default="", help=f"of one of {names}, or of files whose path has this in it")
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
