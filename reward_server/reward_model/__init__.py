"""The reward model: asked by text, answered by a score. `local` runs it here, `vllm` behind a URL."""
