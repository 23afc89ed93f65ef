"""Why executions wait: codes, and what is told beside them."""
