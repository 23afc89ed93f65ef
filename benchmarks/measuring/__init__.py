"""Building blocks of the benchmarks: the machine, counts of what is asked of servers, stored data, the page of figures."""
