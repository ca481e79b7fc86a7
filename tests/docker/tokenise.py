"""Runs in the image without torch: the text that a reward model behind vLLM would read, of the tokenizer in /model."""

from pathlib import Path

from reward_server.reward_model.model_folder import read_tokenizer
from reward_server.reward_model.tokenizer import ChatTokenizer

if __name__ == "__main__":
    tokenizer = ChatTokenizer(read_tokenizer(Path("/model")), max_tokens=4096)
    print(repr(tokenizer.encode([{"role": "user", "content": "hi"}], "there").text))
