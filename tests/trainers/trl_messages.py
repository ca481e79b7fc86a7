"""What our adapter sends of messages that TRL's own parser made of a completion. Prints a JSON object by template."""

import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl import chat_template_utils

from trainer_client.adapters.trl import _text

WRITTEN = {
    "qwen3": "<think>\nso 4\n</think>\n\nit is 4",
    "deepseek_r1_distill": "so 4\n</think>\n\nit is 4",  # its chat template wrote <think>
    "gptoss": "<|channel|>analysis<|message|>so 4<|end|><|start|>assistant<|channel|>final<|message|>it is 4",
    "llama3": "it is 4",
}


def tokenizer() -> PreTrainedTokenizerFast:
    """A token is a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_ = Tokenizer(models.BPE(vocab={character: i for i, character in enumerate(alphabet)}, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token="<|im_end|>")


def main() -> None:
    made = tokenizer()
    sent = {}
    for name, written in WRITTEN.items():
        made.response_template = getattr(chat_template_utils, f"{name}_template")
        message = chat_template_utils.parse_response(made, made(written)["input_ids"], prefix=[])
        sent[name] = _text([message])
    print(json.dumps(sent))


if __name__ == "__main__":
    main()
