"""What facts do not tell is copied out of a backup by the commands of docs/operations/backup.md."""

import re
from pathlib import Path

from jobstore.recovery.rebuild import TABLES
from jobstore.schema.tables import metadata

PAGE = Path(__file__).parents[3] / "docs/operations/backup.md"
#: What is made again by whoever runs: of the log, of who is there, of agents' cards, and of what is under way.
MADE_AGAIN = {
    *("job_texts", "text_index", "rollups", "agent_rollups", "tenant_rollups", "tenant_agent_rollups", "rollup"),
    "quality_rollups",
    *("stubs", "circuits", "circuit_changes", "workers", "relay", "epochs", "starts", "spending", "reusable"),
    *("keeping", "archive_parts"),  # the archive says how far it is
    *("login_codes", "agent_cards", "agent_tasks", "inboxes"),
    *("sign_ins", "tokens", "token_changes"),  # by the administrator whom SIGNOFF_TOKEN names
}


def test_each_table_is_told_by_facts_made_again_or_copied() -> None:
    (copied,) = re.findall(r"for table in ([^;]*); do", PAGE.read_text())
    assert {*copied.replace("\\\n", " ").split()} == {*metadata.tables} - {*TABLES} - MADE_AGAIN
