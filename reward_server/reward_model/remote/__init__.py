"""The reward model behind a URL: a vLLM or an SGLang server."""
