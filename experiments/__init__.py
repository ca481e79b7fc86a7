"""Does learning with the service's rewards come out as theory says? docs/experiment.md has the results."""
