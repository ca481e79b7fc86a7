"""Programs that train something small against a live server."""
