"""A small transformer, trained here from nothing, then by TRL's GRPO on rewards of a live server."""
