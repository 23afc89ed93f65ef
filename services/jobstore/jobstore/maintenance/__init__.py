"""Notice what nobody reports: lapsed leases, deadlines, jobs that wait for an agent, entries too old to be reused."""
