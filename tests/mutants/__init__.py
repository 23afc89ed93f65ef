"""Change what decides, one place at a time, and see a test fail each time: `make mutants`."""
