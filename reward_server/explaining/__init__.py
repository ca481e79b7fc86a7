"""Explaining: how one sample came to its reward, in words and as JSON."""
