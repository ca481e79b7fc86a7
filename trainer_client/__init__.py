"""The thin client that points a trainer at a reward server."""
