"""Read jobs, logs and agents for people and programs, a page at a time."""
