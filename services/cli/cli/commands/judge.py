"""The group `signoff judge`."""

from cli.commands.judging import cases, trials
from cli.session import make_app

app = make_app("Try judges, and criteria, without a job.")

trials.add_commands(app)
cases.add_commands(app)
