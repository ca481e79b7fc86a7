"""Counting: what `/metrics` shows of requests, samples, noise and second opinions."""
