"""Checks of one's own, which `rewards.toml` names: a Python function, an HTTP grader, a language model that judges."""
