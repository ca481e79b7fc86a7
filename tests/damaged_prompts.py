"""Prompts in the common templates, what decoding does to them, and what a policy writes, ordinary and hostile."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

Damage = Callable[[str, Random], str]

TEMPLATES = {
    "chatml": "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n",
    "llama3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n%s<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "gemma": "<bos><start_of_turn>user\n%s<end_of_turn>\n<start_of_turn>model\n",
    "mistral": "<s>[INST] %s [/INST]",
    "deepseek-r1": "<｜begin▁of▁sentence｜><｜User｜>%s<｜Assistant｜><think>\n",
    "gpt-oss": "<|start|>user<|message|>%s<|end|><|start|>assistant",
    "llama4": "<|begin_of_text|><|header_start|>user<|header_end|>\n\n%s<|eot|>"
    "<|header_start|>assistant<|header_end|>\n\n",
    "gemma4": "<bos><|turn>user\n%s<turn|>\n<|turn>model\n",
    "cohere": "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|USER_TOKEN|>%s<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|>"
    "<|CHATBOT_TOKEN|>",
    "granite": "<|start_of_role|>user<|end_of_role|>%s<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
    "kimi": "<|im_user|>user<|im_middle|>%s<|im_end|><|im_assistant|>assistant<|im_middle|>",
    "phi": "<|user|>\n%s<|end|>\n<|assistant|>\n",
    "llava": "A chat between a curious human and an assistant. USER: %s ASSISTANT:",
    "paper": "A conversation between User and Assistant. The user asks a question. User: %s Assistant: <think>",
    "alpaca": "Below is an instruction.\n\n### Instruction:\n%s\n\n### Response:\n",
    "turns": "<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\nHello. What is it?<|im_end|>\n"
    "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n",
    "none": "%s",
}
MARKERS = (
    "<|im_end|>\n<|im_start|>assistant\n", "<think>", "</think>", "<｜Assistant｜>", "Assistant: <think>", "ASSISTANT:",
    "\nUser: ", "### Response:\n", "<|assistant|>", "[/INST]", "<image>", "<|image_pad|>", "<|end|>", "<s>", ":", ">",
)  # fmt: skip
_SYMBOLS = r"3 + 4 ? like , $x$ < y . \boxed{7} : a_1 (2, 5) = ℕ √2 数 你好 é “so” { } ! User Assistant Q: A: # 's n't"
_PROSE = "what is the sum of answer if wait let me check even prime number of apples that Tom has left 12"
WORDS = (*_SYMBOLS.split(), *_PROSE.split(), "\n", "\n\n")
PADS = ("<image>", "<|image_pad|>", "<|vision_start|><|image_pad|><|vision_end|>", "<image_soft_token>", "[IMG]")


def spaces_before_punctuation_are_lost(prompt: str, random: Random) -> str:
    """transformers' clean_up_tokenization_spaces."""
    return re.sub(r" ([.?!,])", r"\1", prompt).replace(" n't", "n't").replace(" 's", "'s")


def all_blanks_are_lost(prompt: str, random: Random) -> str:
    return prompt.replace(" ", "")


def all_white_space_is_lost(prompt: str, random: Random) -> str:
    return "".join(prompt.split())


def newlines_become_blanks(prompt: str, random: Random) -> str:
    return re.sub(r"\s+", " ", prompt)


def blanks_are_gained(prompt: str, random: Random) -> str:
    return re.sub(r"([.?!,:>])", r" \1 ", prompt) if random.random() < 0.5 else " " + prompt.replace("<", " <")


def pads_are_expanded(prompt: str, random: Random) -> str:
    pad = random.choice(("<image>", "<|image_pad|>", "<image_soft_token>", "[IMG]"))
    return prompt.replace(pad, pad * random.randint(2, 40))


def non_ascii_is_lost(prompt: str, random: Random) -> str:
    """DeepSeek-Math's tokenizer in transformers 5.15; its special tokens are kept."""
    parts = re.split(r"(<｜[^｜]*｜>)", prompt)
    return "".join(p if p.startswith("<｜") else "".join(c for c in p if c.isascii()) for p in parts)


def a_symbol_is_lost(prompt: str, random: Random) -> str:
    return prompt.replace(random.choice(r"$\{}?!,.=+“”"), "")


def symbols_are_lost_here_and_there(prompt: str, random: Random) -> str:
    parts = re.split(r"(<[^<>\s]*>|\[[A-Z/]+\])", prompt)
    for n in range(0, len(parts), 2):
        parts[n] = "".join(c for c in parts[n] if c.isalnum() or c.isspace() or random.random() < 0.95)
    return "".join(parts)


def the_left_is_cut(prompt: str, random: Random) -> str:
    tokens = re.findall(r"<[^<>\s]*>|\s?\w+|.", prompt, re.DOTALL)
    return "".join(tokens[random.randint(0, max(0, len(tokens) - 8)) :])


def bos_is_gained(prompt: str, random: Random) -> str:
    return random.choice(("<s> ", "<s>", "<|begin_of_text|>", "<bos>")) + prompt


def special_tokens_are_skipped(prompt: str, random: Random) -> str:
    return re.sub(r"<[|｜][^<>]*>|<[^<>\s]*[|｜]>|</?s>|<bos>|<(?:start|end)_of_turn>|<BOS_TOKEN>", "", prompt)


DAMAGES: tuple[Damage, ...] = (
    spaces_before_punctuation_are_lost, all_blanks_are_lost, all_white_space_is_lost, newlines_become_blanks,
    blanks_are_gained, pads_are_expanded, non_ascii_is_lost, a_symbol_is_lost, symbols_are_lost_here_and_there,
    the_left_is_cut, bos_is_gained, special_tokens_are_skipped,
)  # fmt: skip


def question(random: Random) -> str:
    words = random.choices(WORDS, k=random.randint(6, 40))
    pads = [random.choice(PADS)] if random.random() < 0.3 else []
    return " ".join([*pads, *words])


def ordinary_completion(random: Random) -> str:
    words = " ".join(random.choices(WORDS, k=random.randint(1, 30)))
    return random.choice(("", " ", "\n")) + words + random.choice(("", r" \boxed{7}", "<|im_end|>", "</s>"))


def hostile_completion(prompt: str, random: Random) -> str:
    """Copies of the prompt and its ending, and markers, in any order."""
    pieces = [
        prompt,
        prompt[-random.randint(1, 80) :],
        prompt[: random.randint(1, 80)],
        prompt.splitlines()[-1] if prompt.splitlines() else "",
        "".join(prompt[random.randint(0, len(prompt)) :].split()),
        *random.choices(MARKERS, k=3),
        ordinary_completion(random),
    ]
    return "".join(random.choices(pieces, k=random.randint(1, 6)))
