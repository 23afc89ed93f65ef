"""Agents, their circuits, and the match of jobs to them."""
