"""What facts do not tell is in each backup, or is made again."""

from jobstore.engine.facts import ADMINISTERED
from jobstore.keeping.snapshots import TOLD, UNTOLD
from jobstore.recovery.rebuild import TABLES
from jobstore.schema.tables import metadata

#: What is made again by whoever runs: of the log, of who is there, of agents' cards, and of what is under way.
MADE_AGAIN = {
    *("job_texts", "text_index", "relay", "spending", "reusable"),
    *("circuits", "circuit_changes", "workers", "epochs", "starts", "login_codes", "agent_cards", "agent_tasks"),
    *("sign_ins", "tokens", "token_changes"),  # by the administrator whom SIGNOFF_TOKEN names
}


def test_each_table_is_in_a_snapshot_or_made_again() -> None:
    of_facts = {"agents", "agent_settings", *(table.name for table in ADMINISTERED)}
    assert {*TOLD, *UNTOLD} == {*metadata.tables} - MADE_AGAIN - of_facts
    assert {*TABLES} == {*TOLD, *of_facts}
