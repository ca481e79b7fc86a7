"""`reward-server view`: a page over a folder of recorded rewards, in a process of its own."""
