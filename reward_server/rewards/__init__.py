"""The rewards: pure functions, text in, score out."""
