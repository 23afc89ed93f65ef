"""Carry out batches of commands, each in one transaction, and speak to the database."""
