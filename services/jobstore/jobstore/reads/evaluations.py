"""Count the judgings of an evaluation, and read what is kept of one."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from contracts.criteria import Criterion
from contracts.judging.cases import Case, hash_questions, read_labels
from contracts.judging.evaluation import FAIL, NOTHING, PASS, Judged, PolicyCounts
from contracts.judging.policy import split_reference
from contracts.judging.verdict import Verdict
from contracts.judging.versions import Counts, Evaluated, Measured
from jobstore.errors import NotFoundError, RefusedError
from jobstore.reads.page import fetch_page
from jobstore.storage.database import Database
from jobstore.storage.sql import Connection, Row
from signoff.errors import ErrorCode
from signoff.jsontext import json_text

#: Judgings that are read at once, with their verdicts.
PAGE: Final = 500
#: Bytes of judgings that are kept of one version: of more, what they came to alone is.
JUDGED_MAX_BYTES: Final = 1 << 20

_PROGRESS: Final = text(
    "SELECT count(*) AS total, count(*) FILTER (WHERE state <> 'DONE') AS open FROM judgings WHERE evaluation = :id"
)
#: Of one question the first of each repeat first.
_JUDGINGS: Final = text(
    """
    SELECT question, labels, repeat, created_at, id, judge, is_valid, code, CAST(answer AS text) AS answer FROM judgings
    WHERE evaluation = :evaluation
        AND (question, labels, repeat, created_at, id) > (:question, :labels, :repeat, :created_at, :id)
    ORDER BY question, labels, repeat, created_at, id LIMIT :limit
    """,
)
#: Before all of them.
_FIRST: Final[Mapping[str, object]] = {
    "question": "",
    "labels": "",
    "repeat": 0,
    "created_at": datetime.fromtimestamp(0, UTC),
    "id": UUID(int=0),
}
_KEPT: Final = text(
    """
    SELECT CAST(measured AS text) AS measured, CAST(judged AS text) AS judged FROM judging_evaluations
    WHERE name = :name AND version = :version AND evaluation = :evaluation
    """,
)


async def find_evaluated(connection: Connection, name: str, version: int, evaluation: UUID) -> Evaluated | None:
    """Return what is kept of an evaluation of a version of a policy."""
    rows = await connection.execute(_KEPT, {"name": name, "version": version, "evaluation": evaluation})
    return Evaluated(Measured.model_validate_json(rows[0].measured), from_json(rows[0].judged)) if rows else None


async def count_evaluation(database: Database, evaluation: UUID) -> list[tuple[str, Evaluated]]:
    """Return what the judgings of an evaluation come to, by the version, `name@version`, that made them.

    Nothing is returned of what several versions have judged. NotFoundError (`unknown_evaluation`); RefusedError
    (`evaluation_unfinished`).
    """
    async with database.session() as session:
        progress = (await session.execute(_PROGRESS, {"id": evaluation})).one()
    if not progress.total:
        message = f"no judgings are of the evaluation {evaluation}: they are kept for a day"
        raise NotFoundError(message, code=ErrorCode.UNKNOWN_EVALUATION)
    if progress.open:
        message = f"{progress.open} of {progress.total} judgings of the evaluation {evaluation} are not done"
        raise RefusedError(message, code=ErrorCode.EVALUATION_UNFINISHED)
    counted: dict[str | None, _Counted] = defaultdict(_Counted)
    async for rows in _list_questions(database, evaluation):
        for judge in {row.judge for row in rows}:
            counted[judge].add([row for row in rows if row.judge == judge])
    found = ((judge or each.find_judge(), each) for judge, each in counted.items())
    return [(judge, each.sum_up()) for judge, each in found if judge is not None]


async def _list_questions(database: Database, evaluation: UUID) -> AsyncIterator[list[Row]]:
    """Yield the judgings of each question with its labels; not in one transaction, since what is done stays so."""
    place, held = _FIRST, list[Row]()
    while True:
        asked = {"evaluation": evaluation, "limit": PAGE, **place}
        async with database.transaction() as connection:
            page, more = await fetch_page(connection, _JUDGINGS, asked, bodies=True)
        questions = [list(rows) for _, rows in groupby([*held, *page], lambda row: (row.question, row.labels))]
        held = questions.pop() if more or len(page) == PAGE else []
        for rows in questions:
            yield rows
        if not held:
            return
        place = {name: page[-1][name] for name in _FIRST}


class _Counted:
    """The judgings of an evaluation by one policy."""

    def __init__(self) -> None:
        self._counts = PolicyCounts()
        self._labelled: list[tuple[str, str]] = []
        self._judged: dict[str, str] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Count the judgings of a question: copies of it in one repeat are as many cases."""
        by_repeat = [[_read(row) for row in repeat] for _, repeat in groupby(rows, lambda row: row.repeat)]
        question, labels = rows[0].question, rows[0].labels
        label, *by_criterion = read_labels(labels)
        for copy in range(len(by_repeat[0])):
            judged = [repeat[copy][0] for repeat in by_repeat if copy < len(repeat)]
            criteria = next((repeat[copy][1] for repeat in by_repeat if copy < len(repeat) and repeat[copy][1]), [])
            self._counts.add(Case("", None, criteria, by_criterion if criteria else [], label), judged)
            self._labelled.append((question, labels))
            letters = (NOTHING if one.error is not None else PASS if one.accepted else FAIL for one in judged)
            self._judged.setdefault(question, "".join(letters))

    def find_judge(self) -> str | None:
        """Return the version of `default` that judged; None: several did, or none."""
        judges = {judge for judge in self._counts.judges if split_reference(judge)[1] is not None}
        return judges.pop() if len(judges) == 1 else None

    def sum_up(self) -> Evaluated:
        """Return what is kept of them."""
        judged = self._judged if len(json_text(self._judged)) <= JUDGED_MAX_BYTES else {}
        return Evaluated(
            Measured(
                cases_hash=hash_questions(self._labelled),
                overall=Counts.of(self._counts.overall),
                quorum=self._counts.list_quorums(),
            ),
            judged,
        )


def _read(row: Row) -> tuple[Judged, list[Criterion]]:
    """Return what was judged, and the criteria that it was judged by, where there is a verdict."""
    if row.answer is None or row.is_valid is None:
        return Judged("", False, error=row.code or ErrorCode.NO_VERDICT), []
    verdict = Verdict.model_validate_json(row.answer)
    criteria = [
        Criterion.model_construct(**each.model_dump(include={"text", "kind", "required"})) for each in verdict.criteria
    ]
    return Judged.of(verdict), criteria
