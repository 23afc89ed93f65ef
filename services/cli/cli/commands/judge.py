"""The group `signoff judge`."""

from cli.commands.judging.trials import add_commands
from cli.session import make_app

app = make_app("Try judges, and criteria, without a job.")

add_commands(app)
