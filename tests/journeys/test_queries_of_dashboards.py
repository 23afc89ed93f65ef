"""Each query of each dashboard is one that a real Prometheus answers, from what a running system shows."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from support.prometheus import need
from support.system import WAIT_S, Agent, System

from observe.__main__ import make_targets
from observe.dashboards import BOARDS, render
from observe.prometheus import Prometheus, serving
from signoff import SignoffError

#: Queries that have an answer only under a fault, or beside Compose's production: these are parsed alone.
UNANSWERED = {
    'count by (alertname) (ALERTS{alertstate="firing"})',
    "time() - max(signoff_backup_made_seconds)",
    "max(signoff_backup_failed)",
    "sum by (code) (rate(caddy_http_request_duration_seconds_count[$__rate_interval]))",
    "sum by (circuit) (increase(signoff_circuit_changes_total[1h]))",
    *(
        f'sum by (on) (signoff_waiting{{component="{name}"}})'
        for name in ("jobstore", "executor", "validator", "console")
    ),
}


def list_queries() -> Iterator[str]:
    for name in BOARDS:
        for panel in json.loads(render(name))["panels"]:
            yield from (target["expr"] for target in panel["targets"])


async def use(system: System, agent: Agent) -> str:
    """Let jobs end in several ways, one wait, and requests be refused; return the id of the one that waits."""
    policy = {"max_calls": 2, "reuse_verdict": False}
    good, failing = [await system.create(policy=policy) for _ in range(2)]
    agent.answers[failing.id] = lambda _: web.Response(status=500)
    later = await system.create(policy=policy, not_before=datetime.now(UTC) + timedelta(hours=1))
    for job in (good, failing, later):
        await system.client.execute_job(job.id)
    await system.at_rest(good.id)
    await system.at_rest(failing.id)
    with pytest.raises(SignoffError):
        await system.client.get_job("no-such-job")
    async with system.http.get("/api/jobs/no-such-job") as answer:
        assert answer.status == 404
    return later.id


async def test_each_query_of_each_dashboard_returns_something(system: System, agent: Agent, tmp_path: Path) -> None:
    await asyncio.to_thread(need, "prometheus")
    waiting = await use(system, agent)
    scrape = {"job_name": "signoff", "static_configs": make_targets(system.endpoints)}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    left = {*list_queries()}
    assert left >= UNANSWERED
    async with serving(config, tmp_path) as prometheus:
        try:
            async with asyncio.timeout(WAIT_S):
                while left - UNANSWERED:
                    await asyncio.sleep(0.5)
                    left -= {query for query in left if await ask(prometheus, query)}
        except TimeoutError:
            assert left <= UNANSWERED
        finally:
            await system.client.cancel_job(waiting)


async def ask(prometheus: Prometheus, query: str) -> bool:
    """Whether a query has an answer; one that cannot be parsed is an error."""
    return bool(await prometheus.query(query.replace("$__rate_interval", "1m")))
