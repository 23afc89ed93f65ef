"""Declare the metrics that every service has; each service adds its own beside what it measures."""

from prometheus_client import Counter, Gauge, Histogram

DEAD_LETTERS = Counter("signoff_dead_letters", "Records put into a dead-letter queue", ["topic", "code"])
REFUSED_RECORDS = Counter("signoff_refused_records", "Records that cannot be processed", ["topic", "code"])
UNREADABLE_BATCHES = Counter("signoff_unreadable_batches", "Batches of records that were passed by unread", ["topic"])
CERTIFICATE_ENDS = Gauge("signoff_certificate_ends_seconds", "When a certificate ends, since 1970", ["file"])
WAITING = Gauge("signoff_waiting", "How many wait for a part that is out of reach", ["on"])
BATCH_RECORDS = Histogram("signoff_batch_records", "Records a batch", ["topic"], buckets=[1, 5, 20, 50, 100, 200, 500])
IN_FLIGHT = Gauge("signoff_in_flight", "Leases held", ["kind"])
OUTCOMES = Gauge("signoff_outcomes_awaited", "Outcomes reported and not known to be recorded", ["kind"])
