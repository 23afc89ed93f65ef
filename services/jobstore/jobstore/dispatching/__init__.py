"""Offer executions to workers: by fair share, within limits, and no more than there is room for."""
