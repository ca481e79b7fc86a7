"""The noise that was really paid: how much, how fresh, and whether it is what was set."""
