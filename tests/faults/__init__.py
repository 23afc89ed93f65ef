"""The whole system under faults: a seeded storm, and one checker of what was seen."""
