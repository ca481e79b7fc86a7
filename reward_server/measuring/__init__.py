"""How often a reward is wrong, measured by a second opinion: estimates, alarms, and the tables they are made from."""
