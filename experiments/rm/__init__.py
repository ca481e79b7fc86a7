"""The paper's third finding: RPR calibrates a noisy judge. TRL's GRPO on a live server's `rm_sim`."""
