"""The values and rules of jobs and executions: pure, without I/O."""
