"""Let the jobstore have cases judged: as judgings without a job, which validators claim."""

from collections.abc import Sequence

from cli.errors import CommandError
from cli.evaluating.run import JudgeCases
from contracts.client import JobStoreClient
from contracts.judging.calibration.cases import Case
from contracts.judging.calibration.evaluation import Judged


def judge_through(jobstore: JobStoreClient, submission: int = 1) -> JudgeCases:
    """Return what judges cases through a jobstore, each as if it were this submission of its job."""
    del jobstore, submission

    async def judge(cases: Sequence[Case], policy: str) -> Sequence[Judged]:
        message = f"this jobstore judges nothing without a job: neither {len(cases)} cases nor one, by {policy}"
        raise CommandError(message, code="not_available")

    return judge
