"""Limits of agents, tenants, labels and batches."""
