"""Receipts: signed statements about verdicts, which anybody can verify who has the public key (docs/receipts.md)."""
