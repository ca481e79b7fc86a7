"""TRL's own messages with images of PIL, of NumPy, as paths, and with none. Prints our rewards and the bytes sent."""

import json

import numpy as np
from PIL import Image
from trl.data_utils import prepare_multimodal_messages

from trainer_client._messages import texts_only
from trainer_client.adapters.trl import RewardFunction

PROMPT = [{"role": "system", "content": "Count."}, {"role": "user", "content": "How many?"}]
WRITTEN = [{"role": "assistant", "content": [{"type": "text", "text": r"so \boxed{4}"}]}]


def main() -> None:
    image = Image.new("RGB", (640, 480))
    forms = {
        "pil": prepare_multimodal_messages(PROMPT, [image]),
        "numpy": prepare_multimodal_messages(PROMPT, [np.asarray(image)]),
        "path": prepare_multimodal_messages(PROMPT, ["/data/1.png"]),
        "none": prepare_multimodal_messages(PROMPT, []),
    }
    function = RewardFunction()
    visits = list(range(16))
    rewards = {
        name: function([prompt] * 16, [WRITTEN] * 16, answer=["4"] * 16, visit=visits) for name, prompt in forms.items()
    }
    rewards["text"] = function([PROMPT] * 16, [WRITTEN] * 16, answer=["4"] * 16, visit=visits)
    print(
        json.dumps({"rewards": rewards, "bytes": {name: len(json.dumps(texts_only(p))) for name, p in forms.items()}})
    )


if __name__ == "__main__":
    main()
