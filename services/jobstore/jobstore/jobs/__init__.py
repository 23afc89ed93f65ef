"""Jobs and their logs: what may happen to them, and how they are found and shown."""
