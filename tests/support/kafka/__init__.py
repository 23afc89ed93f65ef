"""Topics of a real broker, as tests see them."""
