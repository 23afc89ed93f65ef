"""Why executions wait: what they may wait for, and what of that holds one back now."""
