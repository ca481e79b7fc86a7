"""The floor of any FastAPI reward server: a route that parses the body and returns a constant. No log, no metrics."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Body(BaseModel):
    """The native request's columns that the load uses."""

    completions: list[str]
    ground_truths: list[str]


app = FastAPI()


@app.post("/score")
async def score(body: Body) -> dict[str, list[float]]:
    """As many ones as there are completions."""
    return {"rewards": [1.0] * len(body.completions)}


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, http="httptools", loop="uvloop", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
