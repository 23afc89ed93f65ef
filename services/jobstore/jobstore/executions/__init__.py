"""Executions: requests, offers, claims, leases and reports."""
