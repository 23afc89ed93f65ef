"""Add to verdicts where their quotations stand in the judged result; searched once for each entry of a log."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from contracts.evidence import Evidence, Span
from signoff.judging import CriterionVerdict
from signoff.types import JobLog

#: Of each quotation of a criterion, where it stands.
Spans = list[list[Span]]
#: Entries whose spans are kept in memory, the latest.
REMEMBERED_MAX = 200
#: Characters of a result that is searched on the event loop; a longer one is searched in a thread.
INLINE_MAX_CHARS = 20_000


class EvidenceSpans:
    """Find the spans of evidence, and remember them: entries never change."""

    def __init__(self) -> None:
        self._spans: OrderedDict[UUID, list[Spans]] = OrderedDict()

    async def add(self, logs: Iterable[JobLog]) -> None:
        """Give each criterion of each verdict its `evidence_spans`: of each quotation [start, end] in the result."""
        for log in logs:
            if log.verdict is None:
                continue
            criteria = log.verdict.criteria
            spans = self._spans.get(log.id)
            if spans is None:
                spans = await self._find(log, criteria)
            for criterion, places in zip(criteria, spans, strict=True):
                criterion.evidence_spans = places

    async def _find(self, log: JobLog, criteria: Sequence[CriterionVerdict]) -> list[Spans]:
        quotes, result = [criterion.evidence for criterion in criteria], log.result
        if isinstance(result, str) and len(result) <= INLINE_MAX_CHARS:
            spans = _find_spans(result, quotes)
        else:
            spans = await asyncio.to_thread(_find_spans, result, quotes)
        self._spans[log.id] = spans
        if len(self._spans) > REMEMBERED_MAX:
            self._spans.popitem(last=False)
        return spans


def _find_spans(result: Any, quotes: Iterable[Any]) -> list[Spans]:
    evidence = Evidence(result)  # criteria that it repeats are left in it: what is marked was checked without them
    return [[evidence.find_spans(quote) for quote in each] for each in quotes]
