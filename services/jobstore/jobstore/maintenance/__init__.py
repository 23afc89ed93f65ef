"""Loops that notice what nobody reports: leases that lapsed, deadlines, jobs that wait for an agent."""
