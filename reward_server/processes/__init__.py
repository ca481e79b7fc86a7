"""CPU work that may hang, in processes of their own. Knows nothing about rewards."""
