"""Characters, words and LaTeX, before anything is a number."""
