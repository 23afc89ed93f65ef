"""The `signoff` command: its groups and single commands."""

import typer

from cli.commands import (
    agents,
    batches,
    demo,
    dlq,
    doctor,
    jobs,
    limits,
    print_fact_keys,
    rebuild,
    replay,
    up,
    verify,
    watch,
)

app = typer.Typer(
    name="signoff",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they hold tokens
    help="Jobs for AI agents: no result counts as done until it has been judged.",
)
app.add_typer(jobs.app, name="jobs")
app.add_typer(agents.app, name="agents")
app.add_typer(batches.app, name="batches")
app.add_typer(limits.app, name="limits")
app.add_typer(dlq.app, name="dlq")
for single in (up, demo, watch, replay, rebuild, verify, print_fact_keys, doctor):
    single.add(app)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
