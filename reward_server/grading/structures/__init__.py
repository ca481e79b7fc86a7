"""What has parts: lists, sets, intervals, vectors, matrices, ratios."""
