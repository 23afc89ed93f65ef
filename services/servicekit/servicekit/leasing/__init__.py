"""Work under leases: what an executor and a validator do alike."""
