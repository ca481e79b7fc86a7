"""Is the answer right? From the text of a completion to a verdict."""
