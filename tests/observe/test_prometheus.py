"""Prometheus is found or fetched, runs on loopback with a configuration, and ends with its block."""

import asyncio
import json
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.prometheus import need

from observe.prometheus import PrometheusError, find, serving

FOUND: dict[str, object] = {"global": {"scrape_interval": "1s"}, "scrape_configs": []}


def list_running(folder: Path) -> list[int]:
    own = psutil.Process().children(recursive=True)
    return [each.pid for each in own if any(str(folder) in word for word in each.cmdline())]


@pytest.mark.real
async def test_it_answers_queries_and_is_gone_afterwards(tmp_path):
    need("prometheus")
    async with serving(FOUND, tmp_path) as prometheus:
        assert prometheus.url.startswith("http://127.0.0.1:")
        (sample,) = await prometheus.query("vector(42)")
        assert sample["value"][1] == "42"
        assert await prometheus.query("up") == []
        with pytest.raises(PrometheusError, match=r"refuses query .*unclosed left parenthesis"):
            await prometheus.query("sum(")
        assert list_running(tmp_path)
    assert list_running(tmp_path) == []


@pytest.mark.real
async def test_it_scrapes_what_it_is_told_and_evaluates_rules(tmp_path):
    need("prometheus")
    async with serving(FOUND, tmp_path / "seen") as seen:
        rules = [{"alert": "Gone", "expr": "up == 0"}, {"alert": "There", "expr": "up == 1"}]
        text = json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": rules}]})
        (tmp_path / "rules.yml").write_text(text)
        target = [{"targets": [seen.url.removeprefix("http://")]}]
        config = FOUND | {
            "rule_files": [str(tmp_path / "rules.yml")],
            "scrape_configs": [{"job_name": "seen", "static_configs": target}],
        }
        async with serving(config, tmp_path / "looking") as looking:
            alerts: list[dict[str, Any]] = []
            async with asyncio.timeout(30):
                while not alerts:
                    await asyncio.sleep(0.1)
                    alerts = (await looking.get("alerts"))["alerts"]
            (alert,) = alerts
            assert (alert["labels"]["alertname"], alert["state"]) == ("There", "firing")


@pytest.mark.real
async def test_what_it_cannot_read_is_told_with_the_log(tmp_path):
    need("prometheus")
    with pytest.raises(PrometheusError, match=r"ended with status \d+ \(.*prometheus\.log\): .*no_such_field"):
        async with serving({"no_such_field": 1}, tmp_path):
            pass


def test_the_variable_names_it_and_promtool_beside_it(monkeypatch):
    monkeypatch.setenv("PROMETHEUS", "/opt/prometheus-3/prometheus")
    assert find("promtool") == Path("/opt/prometheus-3/promtool")


def test_where_there_is_no_apt_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("PROMETHEUS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SIGNOFF_CACHE_DIR", str(tmp_path))
    with pytest.raises(PrometheusError, match=r"install it, or set PROMETHEUS="):
        find()
    assert [each.name for each in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("said", ["E: Unable to locate package prometheus", ""])
def test_what_apt_says_is_told(monkeypatch, tmp_path, said):
    monkeypatch.delenv("PROMETHEUS", raising=False)
    for name in ("apt-get", "dpkg"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}' >&2; exit 100\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SIGNOFF_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(PrometheusError, match=rf"\({said or 'no reason told'}\): `apt-get update` may help"):
        find("promtool")
