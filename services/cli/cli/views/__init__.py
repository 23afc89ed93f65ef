"""What is shown of a job, computed from its log."""
