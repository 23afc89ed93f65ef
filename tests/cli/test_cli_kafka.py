"""`signoff kafka acls` prints what each user of Kafka needs; `signoff kafka users` takes passwords from files alone."""

from pathlib import Path

from typer.testing import CliRunner

from cli.__main__ import app
from contracts.grants import list_grants

run = CliRunner().invoke


def test_acls_are_printed_for_people_and_for_programs() -> None:
    table = run(app, ["kafka", "acls"]).output
    assert "executor   Read             topic    execute-requested\n" in table
    assert "jobstore   Read             group    signoff-jobstore*\n" in table
    printed = run(app, ["kafka", "acls", "--json"]).output
    assert printed.count('"user":') == len(list_grants())
    assert '{"user":"upstream","operation":"Write","resource":"topic","name":"execute-requested"' in printed


def test_a_user_may_have_another_name() -> None:
    table = run(app, ["kafka", "acls", "--user", "executor=CN=executor,O=Acme"]).output
    assert "CN=executor,O=Acme  Read" in table
    assert "\nexecutor " not in table
    refused = run(app, ["kafka", "acls", "--user", "nobody=me"])
    assert (refused.exit_code, "USER is one of jobstore, executor" in refused.output) == (2, True)


def test_a_user_is_named_with_the_file_of_its_password(tmp_path: Path) -> None:
    refused = run(app, ["kafka", "users", "executor"])
    assert (refused.exit_code, "'executor': give USER=FILE" in refused.output) == (2, True)
    (tmp_path / "empty").touch()
    for file in ("absent", "empty"):
        refused = run(app, ["kafka", "users", f"executor={tmp_path / file}", "--kafka", "127.0.0.1:1"])
        assert (refused.exit_code, "no password in" in refused.output) == (2, True)
