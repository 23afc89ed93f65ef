"""The dashboards are those that the code makes, and ask for what processes show."""

import json
import re
from pathlib import Path

import pytest

from observe.dashboards import BOARDS, FOLDER, render

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| \w+ \|(?P<labels>[^|]*)\|", re.MULTILINE)
NAME = re.compile(r"\b(?:signoff|process|python|caddy)_\w+|\bALERTS\b")
#: What no process of Signoff shows: the proxy and the backups of Compose's production do, and Prometheus itself.
OTHERS = {
    "caddy_http_request_duration_seconds": {"code"},
    "signoff_backup_made_seconds": set(),
    "signoff_backup_failed": set(),
    "ALERTS": {"alertname", "alertstate"},
}
#: What a scrape adds to each series.
SCRAPED = {"component", "instance", "job", "le", "version"}


def list_known() -> dict[str, set[str]]:
    """The labels of each family that docs/metrics.md has, which a test compares with the code."""
    rows = ROW.finditer(PAGE.read_text("utf-8"))
    return {row["name"]: set(re.findall(r"`(\w+)`", row["labels"])) for row in rows} | OTHERS


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_as_the_code_makes_it(name: str) -> None:
    """`PYTHONPATH=deploy python -m observe.dashboards` writes all of them."""
    assert (FOLDER / f"{name}.json").read_text("utf-8") == render(name)


def test_there_are_no_other_dashboards() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == {*BOARDS}


@pytest.mark.parametrize("name", BOARDS)
def test_each_query_names_metrics_and_labels_that_are_there(name: str) -> None:
    known = list_known()
    for panel in json.loads(render(name))["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            families = {re.sub(r"_(bucket|count|sum)$", "", each) for each in NAME.findall(query)}
            assert families, query
            assert families <= known.keys(), query
            named = {label for labels in re.findall(r"\bby \(([^)]*)\)", query) for label in labels.split(", ")}
            named |= set(re.findall(r'[{,](\w+)[!=]~?"', query))
            assert named <= set().union(*(known[each] for each in families)) | SCRAPED, query
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert shown <= named | SCRAPED, query


@pytest.mark.parametrize("name", BOARDS)
def test_a_panel_asks_a_question_and_says_what_to_do(name: str) -> None:
    board = json.loads(render(name))
    titles = [panel["title"] for panel in board["panels"]]
    assert len({*titles}) == len(titles)
    assert all(title.endswith("?") for title in titles)
    assert all(len(panel["description"].split()) > 5 for panel in board["panels"])
    (variable,) = board["templating"]["list"]
    used = {target["datasource"]["uid"] for panel in board["panels"] for target in panel["targets"]}
    assert used == {f"${{{variable['name']}}}"}
