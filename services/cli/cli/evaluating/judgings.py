"""Let the jobstore have cases judged: as judgings without a job, which validators claim."""

from collections.abc import Sequence

from cli.errors import CommandError
from cli.evaluating.run import JudgeCases
from contracts.client import JobStoreClient
from contracts.judging.calibration.cases import Case
from contracts.judging.calibration.evaluation import Judged


def judge_through(jobstore: JobStoreClient, submission: int = 1) -> JudgeCases:
    """Return what judges cases through a jobstore, each as if it were this submission of its job."""

    async def judge(cases: Sequence[Case], policy: str) -> Sequence[Judged]:
        asked = f"{len(cases)} cases by {policy}, submission {submission}"
        raise CommandError(f"{jobstore} judges nothing without a job: {asked}", code="not_available")

    return judge
