"""What executors do for agents beside executions: stop work afterwards, read cards, try agents."""
