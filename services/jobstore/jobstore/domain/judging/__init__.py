"""Judge policies and criteria sets: their versions, and what is judged by. Pure."""
