"""Whole runs of OpenRLHF on a CPU, from our launcher's command, on rewards of a live server that keeps a record."""
