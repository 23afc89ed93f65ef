"""What a run was seen to do, as plain values, and whether that keeps the invariants."""
