"""The tables, and all SQL that changes them. Nothing here commits: `Database.transaction` does."""
