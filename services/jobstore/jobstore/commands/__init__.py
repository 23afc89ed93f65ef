"""Commands: each request to the jobstore, and each report, as a value that decides on locked rows. Pure."""
