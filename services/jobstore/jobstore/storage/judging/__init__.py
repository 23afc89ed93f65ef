"""What is judged by, and judgings without a job, as rows."""
