"""What may be asked of the jobstore and reported to it, decided on locked rows: pure, without I/O."""
