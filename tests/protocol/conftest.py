"""The tables of the tests of this folder."""

from support.jobstore.tables import database, database_url, runner, template

__all__ = ["database", "database_url", "runner", "template"]
