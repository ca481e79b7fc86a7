"""The reward model in this process, by PyTorch and transformers."""
