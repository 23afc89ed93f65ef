"""The real stack with links before its parts, clients and strangers around it, and the faults that are done to it."""
