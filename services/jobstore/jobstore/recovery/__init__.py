"""Rebuild an empty database from facts; compare two databases; refuse a database that is older than its facts."""
