"""Show operators the whole system: counts, percentiles, dead letters."""
