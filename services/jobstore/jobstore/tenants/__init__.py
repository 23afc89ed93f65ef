"""Tenants: who jobs, agents and all else belong to."""
