"""Single values: numbers, units, degrees, times, roundings."""
