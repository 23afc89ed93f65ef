"""New tables, beside which upgraded ones are held."""

from support.jobstore.tables import database_url, template

__all__ = ["database_url", "template"]
