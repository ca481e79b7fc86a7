"""What was paid, kept: one line a sample in plain files, written while serving, read by the commands."""
