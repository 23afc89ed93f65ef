"""Building blocks of benchmarks: the machine, counts of requests, stored data, and the page of figures."""
