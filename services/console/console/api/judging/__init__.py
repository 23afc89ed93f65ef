"""REST of what results are judged by, of judgings without a job, and of receipts."""
