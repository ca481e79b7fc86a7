"""Does learning with the service's rewards come out as theory and the paper say? docs/laws.md, docs/experiment.md."""
