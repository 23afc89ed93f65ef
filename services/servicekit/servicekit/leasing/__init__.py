"""Work under leases, the way an executor and a validator share."""
