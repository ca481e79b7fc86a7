"""Commands that score files, without a server."""
