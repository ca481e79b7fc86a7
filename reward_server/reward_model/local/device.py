"""Where the reward model runs, and in which numbers."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from reward_server.reward_model.engine import UnfitModel
from reward_server.types import Dtype

if TYPE_CHECKING:
    import torch

DEVICES = ("cpu", "cuda")
"""Types of devices that the engine knows."""


def usable_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:1`. Raises UnfitModel for others, and for a GPU that PyTorch does not see."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.split(":")[0] not in DEVICES:
        raise UnfitModel(f"the device is one of {', '.join(DEVICES)}, not {name}")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UnfitModel(f"there is no device {name}: {error}") from error
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0  # the driver may count what CUDA cannot use
    if device.type == "cuda" and (device.index or 0) >= seen:
        raise UnfitModel(
            f"there is no {name}: PyTorch {torch.__version__} sees {seen} GPUs. Does `nvidia-smi`"
            " see one here (in a container: NVIDIA's toolkit), and is its driver new enough for this PyTorch's CUDA?"
        )
    return device


def torch_dtype(dtype: Dtype, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where the device multiplies it in hardware."""
    import torch

    if dtype == "float32" or (dtype == "auto" and not _has_bfloat16(device)):
        return torch.float32
    return torch.bfloat16


def _has_bfloat16(device: torch.device) -> bool:
    """True where matrix products of bfloat16 run in hardware; elsewhere they are slower than float32."""
    import torch

    if device.type == "cuda":
        with torch.cuda.device(device):  # it is asked of the current one
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # since PyTorch 2.12 or so
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def sent(ids: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The ids on the device, for a GPU from memory that it reads by itself: the host goes on meanwhile."""
    if device.type == "cuda":
        ids = ids.pin_memory()
    return ids.to(device, non_blocking=True)


def installed_kernels() -> str:
    """What transformers would take for layers of linear attention in the place of PyTorch's own operations."""
    found = []
    for name in ("flash-linear-attention", "causal-conv1d"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found) or "torch"
