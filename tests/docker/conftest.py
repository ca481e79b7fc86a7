"""The images, built as they are now, and the compose projects that the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from docker.seen import readable, ready
from docker.stack import IMAGE, PROMETHEUS, Stack, build, run, stack, until

from reward_server import __version__


@pytest.fixture(scope="session")
def images() -> None:
    """The images, built as they are now."""
    build(IMAGE, "docker/Dockerfile")
    build(f"reward-server-proxy:{__version__}", "docker/proxy/Dockerfile", "docker/proxy")
    build(PROMETHEUS, "tests/docker/prometheus.Dockerfile", "tests/docker")


@pytest.fixture(scope="session")
def one(images: None) -> Iterator[Stack]:
    """The server with Prometheus, as `docker compose --profile monitoring up reward-server prometheus` has them."""
    files = ("docker-compose.yml", "tests/docker/compose.prometheus.yml")
    with stack("rewardone", *files, up=("reward-server", "prometheus"), options=("--profile", "monitoring")) as project:
        yield project


@pytest.fixture(scope="session")
def with_model(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The server with a tiny random reward model in its process."""
    from tiny_models import make_tokenizer, new_model

    tag = f"reward-server-rm:{__version__}"
    if not run("docker", "images", "--quiet", tag):
        pytest.skip(f"needs the image {tag}, some gigabytes: docker build -f docker/Dockerfile.rm -t {tag} .")
    folder = tmp_path_factory.mktemp("model")
    new_model().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    readable(folder)
    files = ("docker-compose.yml", "tests/docker/compose.prometheus.yml")
    options = ("--profile", "rm", "--profile", "monitoring")
    services, variables = ("reward-server-rm", "prometheus"), {"RM_FOLDER": str(folder), "REWARD_RM_THREADS": "1"}
    with stack("rewardmodel", *files, up=services, options=options, server=services[0], variables=variables) as project:
        yield project


@pytest.fixture(scope="session")
def three(images: None) -> Iterator[Stack]:
    """Three replicas behind the proxy."""
    with stack(
        "rewardthree", "docker-compose.scale.yml", up=("--scale", "reward-server=3", "reward-server", "proxy")
    ) as (project):
        until(lambda: ready(project.url), "the proxy sees a replica")
        yield project
