"""The manifests as kubectl renders them: valid, of one piece, and in step with the server's drain. No cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from reward_server import __version__
from reward_server.settings import PREFIX, Settings

K8S = Path(__file__).parents[2] / "k8s"
VERSION = "1.34"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
WITHOUT_SCHEMA = {"ServiceMonitor"}
"""Of the Prometheus operator, not of Kubernetes: nothing here checks their fields."""
Object = dict[str, Any]


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    """What `kubectl apply -k` would send."""
    kubectl = Path(sys.executable).with_name("kubectl")
    folder = str(K8S / "overlays" / request.param)
    rendered = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    assert not rendered.stderr, rendered.stderr  # a deprecated field is a warning
    return list(yaml.safe_load_all(rendered.stdout))


def one(objects: list[Object], kind: str, name: str = "reward-server") -> Object:
    (found,) = [found for found in objects if found["kind"] == kind and found["metadata"]["name"] == name]
    return found


def pods(objects: list[Object]) -> list[Object]:
    return [found["spec"]["template"] for found in objects if found["kind"] == "Deployment"]


def environment(objects: list[Object]) -> dict[str, str]:
    """Variables of the server's container, those that come from a secret with a value of our own."""
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    values: dict[str, str] = {}
    for source in container["envFrom"]:
        values |= one(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    return values | {entry["name"]: entry.get("value", "secret") for entry in container["env"]}


def test_every_object_fits_its_schema(objects: list[Object]) -> None:
    for found in objects:
        if found["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(found, VERSION, strict=True)


def test_every_variable_is_a_setting_and_its_value_is_valid(
    objects: list[Object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(objects).items():
        assert name.startswith(PREFIX)
        monkeypatch.setenv(name, value)
    settings = Settings()  # refuses unknown variables, and values that do not fit
    assert settings.api_keys
    assert settings.config == Path("/etc/reward-server/rewards.toml")


def test_the_grace_period_outlasts_the_drain_and_readiness_fails_within_its_delay(objects: list[Object]) -> None:
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = environment(objects)
    delay_s, request_s = float(variables["REWARD_DRAIN_DELAY_S"]), float(variables["REWARD_REQUEST_TIMEOUT_S"])
    wait_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > wait_s + delay_s + request_s
    ready = container["readinessProbe"]
    assert ready["httpGet"]["path"] == "/ready"
    assert ready["periodSeconds"] * ready["failureThreshold"] < delay_s
    # a draining server is alive; one whose GPU is lost does not come back by itself
    has_gpu = "nvidia.com/gpu" in container["resources"]["limits"]
    assert container["livenessProbe"]["httpGet"]["path"] == ("/ready" if has_gpu else "/health")


def test_no_pod_gets_variables_of_services(objects: list[Object]) -> None:
    """REWARD_SERVER_PORT=tcp://… would be an unknown setting, VLLM_PORT one of vLLM's own."""
    for pod in pods(objects):
        assert pod["spec"]["enableServiceLinks"] is False


def test_names_and_labels_point_at_something(objects: list[Object]) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(objects)]
    for found in objects:
        selector = {
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
        }.get(found["kind"])
        if selector is not None:
            wanted = selector(found["spec"]).items()
            assert any(wanted <= given.items() for given in labels), found["metadata"]["name"]
    for scaler in (found for found in objects if found["kind"] == "HorizontalPodAutoscaler"):
        assert "replicas" not in one(objects, "Deployment", scaler["spec"]["scaleTargetRef"]["name"])["spec"]
    monitor = one(objects, "ServiceMonitor")["spec"]
    service = one(objects, "Service")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {end["port"] for end in monitor["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}


def test_every_mount_has_its_volume_and_every_volume_its_source(objects: list[Object]) -> None:
    claims = {found["metadata"]["name"] for found in objects if found["kind"] == "PersistentVolumeClaim"}
    for pod in pods(objects):
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for container in pod["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
            if "configMap" in volume:
                one(objects, "ConfigMap", volume["configMap"]["name"])


def test_the_image_is_this_version(objects: list[Object]) -> None:
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"].partition(":")[2] == __version__
