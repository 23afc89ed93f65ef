"""Rebuild an empty database from the facts, and compare two databases; each runs as a process of its own."""
