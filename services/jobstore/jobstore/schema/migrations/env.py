"""Runs migrations on the connection that the service gives, each in a transaction of its own."""

from alembic import context

from jobstore.schema.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, compare_server_default=False, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
