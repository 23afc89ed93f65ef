"""Lock, load and write the rows of one unit of work. Lists that people see are in `reads`."""
