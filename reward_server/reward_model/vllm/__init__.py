"""The reward model behind a URL: a vLLM server."""
