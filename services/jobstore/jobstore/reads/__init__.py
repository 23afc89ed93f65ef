"""What people and programs read: jobs, logs and agents, a page at a time."""
