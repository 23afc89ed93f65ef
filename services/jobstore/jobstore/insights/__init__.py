"""What operators see of the whole system: counts, percentiles, dead letters."""
