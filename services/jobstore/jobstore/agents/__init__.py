"""Agents, their circuits, and the matching of jobs to agents."""
