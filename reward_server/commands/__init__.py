"""The commands beside `serve`, and what all of them share."""
