"""The tables, and all SQL of commands. Nothing here commits: `Database.transaction` does."""
