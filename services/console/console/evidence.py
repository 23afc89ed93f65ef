"""Where the quotations of a verdict stand in the result that was judged; found once for each entry of a log."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from contracts.evidence import Evidence, Span
from contracts.resources import JobLog

REMEMBERED_MAX = 200
#: A result of so many characters is searched while others wait; of a longer one nobody waits.
AT_ONCE_MAX = 20_000


class EvidenceSpans:
    """Remembers what it found: entries never change."""

    def __init__(self) -> None:
        self._found: OrderedDict[UUID, list[list[Span]]] = OrderedDict()

    async def add(self, logs: Iterable[JobLog]) -> None:
        """Give each criterion of each verdict its `evidence_spans`: [start, end] in the text of the result."""
        for log in logs:
            criteria = _criteria(log)
            if not criteria:
                continue
            spans = self._found.get(log.id)
            if spans is None:
                spans = await self._find(log, criteria)
            for criterion, places in zip(criteria, spans, strict=True):
                criterion["evidence_spans"] = places

    async def _find(self, log: JobLog, criteria: Sequence[dict[str, Any]]) -> list[list[Span]]:
        quotes, result = [criterion.get("evidence") for criterion in criteria], log.response_payload.get("result")
        if isinstance(result, str) and len(result) <= AT_ONCE_MAX:
            spans = _spans(result, quotes)
        else:
            spans = await asyncio.to_thread(_spans, result, quotes)
        self._found[log.id] = spans
        if len(self._found) > REMEMBERED_MAX:
            self._found.popitem(last=False)
        return spans


def _spans(result: Any, quotes: Iterable[Any]) -> list[list[Span]]:
    evidence = Evidence(result)
    return [evidence.find_spans(quote) if isinstance(quote, str) else [] for quote in quotes]


def _criteria(log: JobLog) -> list[dict[str, Any]]:
    verdict = log.response_payload.get("verdict") if isinstance(log.response_payload, dict) else None
    criteria = verdict.get("criteria") if isinstance(verdict, dict) else None
    return [c for c in criteria if isinstance(c, dict)] if isinstance(criteria, list) else []
