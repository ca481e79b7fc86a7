"""Which rewards there are, and what one URL means."""
