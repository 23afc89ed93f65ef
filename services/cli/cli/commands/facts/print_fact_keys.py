"""The command `signoff fact-keys`."""

from cli.fact_key_settings import require_fact_keys
from cli.session import Session, command, make_app

app = make_app()


@command(app, "fact-keys")
async def print_fact_keys(cli: Session) -> None:
    """Print the keys of facts, for SIGNOFF_FACT_KEYS of whoever checks or rebuilds without the jobstore's secrets.

    They are derived from SIGNOFF_SECRETS. Who has them can check facts and make them, but can forge no report. Keep
    the keys of secrets that no longer sign: without them, what those signed cannot be rebuilt.
    """
    keys = str(require_fact_keys(cli.target))
    cli.out.print_json({"fact_keys": keys})
    cli.out.print_line(keys)
