"""Judge policies, criteria sets, and judgings without a job."""
