"""Judge policies, criteria sets, reuse of verdicts and results, and judgings without a job."""
