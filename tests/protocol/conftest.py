"""The tables of the tests of this folder."""

from support.jobstore.tables import database, database_url, runner

__all__ = ["database", "database_url", "runner"]
