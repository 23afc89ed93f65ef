"""The jobstore on real tables: its database, and the steps of jobs in it."""
