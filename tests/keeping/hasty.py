"""A jobstore that archives, writes checkpoints and cuts all the time: `python -m keeping.hasty`."""

import os
import runpy
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from jobstore import wiring
from jobstore.keeping import cutting, retention
from jobstore.keeping.archiver import Archiver
from jobstore.keeping.checkpoints import CheckpointTerms
from localstack.process import ServiceSpec

TESTS: Final = Path(__file__).parents[1]
#: Seconds between two passes of a loop, until a log is cut and a fact leaves its topic, and until a job is tried again.
EVERY_S: Final = 0.4
#: Entries that are cut in one transaction: fewer than a second's, so that there are many.
BATCH: Final = 10
#: Seconds between two passes of the retention, each of several jobs, of which a transaction removes one.
REMOVES_EVERY_S: Final = 3.0


def of_hasty(spec: ServiceSpec, archive: Path) -> ServiceSpec:
    """Return a jobstore with an archive that is in a hurry."""
    path = os.pathsep.join([str(TESTS), *filter(None, [spec.env.get("PYTHONPATH")])])
    own = {"PYTHONPATH": path, "SIGNOFF_ARCHIVE": str(archive)}
    return replace(spec, argv=[sys.executable, "-m", __name__], env={**spec.env, **own})


if __name__ == "__main__":
    vars(wiring).update(
        CheckpointTerms=lambda *_: CheckpointTerms(EVERY_S, facts_kept_s=EVERY_S),
        Cutting=partial(cutting.Cutting, rest_s=EVERY_S, batch=BATCH),
        Archiver=lambda *parts, **_: Archiver(*parts, every_s=EVERY_S),
    )
    vars(cutting).update(POLL_S=EVERY_S)
    vars(retention).update(ASIDE_S=EVERY_S, PERIOD_S=REMOVES_EVERY_S, BATCH=1)
    runpy.run_module("jobstore", run_name="__main__", alter_sys=True)
