"""The group `signoff judge`."""

from cli.commands.judging import cases
from cli.session import make_app

app = make_app("Try judges, and criteria, without a job.")

cases.add_commands(app)
