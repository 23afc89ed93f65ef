"""Rebuild an empty database from facts, and compare two databases, each as a process; refuse a database that is old."""
