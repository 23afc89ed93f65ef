"""How long jobs and facts are kept: retention, the archive, checkpoints, and what is cut."""
