"""Show operators the whole system: counts, percentiles, processes, consumer groups and dead letters."""
