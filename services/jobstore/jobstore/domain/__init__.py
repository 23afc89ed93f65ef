"""Values and rules of jobs and executions. Pure: nothing here does I/O."""
