"""Our proxy on NeMo-Gym's own base class, served by uvicorn, asked as its agent does. Prints JSON."""

import asyncio
import json
import socket
import threading
import time

import aiohttp
import uvicorn
from nemo_gym.base_resources_server import BaseVerifyResponse
from nemo_gym.server_utils import ServerClient

from trainer_client.adapters.nemo_gym import RewardServerConfig, RewardServerProxy

ROWS = [(r"\boxed{4}", "4"), (r"\boxed{5}", "4"), (r"\boxed{4}", None)]


def body(text: str, answer: "str | None") -> dict:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": content}
    response = {
        "id": "r", "created_at": 2.0, "model": "m", "object": "response", "parallel_tool_calls": True,
        "tool_choice": "auto", "tools": [], "output": [message], "reasoning": None,
    }  # fmt: skip
    params = {"input": [{"role": "user", "content": "2+2?"}]}
    return {
        "responses_create_params": params,
        "response": response,
        "expected_answer": answer,
        "group": "q",
        "visit": 2,
    }


async def ask(url: str) -> list:
    async with aiohttp.ClientSession(url) as session:
        async with session.post("/seed_session", json={"expected_answer": "4"}) as seeded:
            replies = [await seeded.json()]
        for text, answer in ROWS:
            async with session.post("/verify", json=body(text, answer)) as verified:
                reply = await verified.json()
            BaseVerifyResponse.model_validate(reply)
            assert reply["responses_create_params"] == body(text, answer)["responses_create_params"]
            replies.append(reply)
    return replies


def main() -> None:
    config = RewardServerConfig(host="127.0.0.1", port=0, entrypoint="app.py", domain="math", name="reward_server")
    proxy = RewardServerProxy(config=config, server_client=ServerClient.model_construct())
    server = uvicorn.Server(uvicorn.Config(proxy.setup_webserver(), log_level="error"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.05)
    print(json.dumps(asyncio.run(ask(f"http://127.0.0.1:{listener.getsockname()[1]}"))))
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    main()
