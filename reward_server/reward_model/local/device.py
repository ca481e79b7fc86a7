"""Where the reward model runs, and in which numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from reward_server.reward_model.engine import EngineRefused

if TYPE_CHECKING:
    import torch

Dtype = Literal["auto", "bfloat16", "float32"]
DEVICES = ("cpu", "cuda")
"""Types of devices that the engine knows."""


def usable_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:1`. Raises EngineRefused for others, and for a GPU that PyTorch does not see."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.split(":")[0] not in DEVICES:
        raise EngineRefused(f"the device is one of {', '.join(DEVICES)}, not {name}")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise EngineRefused(f"there is no device {name}: {error}") from error
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0  # the driver may count what CUDA cannot use
    if device.type == "cuda" and (device.index or 0) >= seen:
        raise EngineRefused(
            f"there is no {name}: PyTorch {torch.__version__} sees {seen} GPUs. Does `nvidia-smi`"
            " see one here (in a container: NVIDIA's toolkit), and is its driver new enough for this PyTorch's CUDA?"
        )
    return device


def steady_cuda() -> None:
    """Settings of the process by which a GPU computes as exactly and as evenly as the CPU. Not tried on one."""
    import torch

    # The attention of cuDNN, since PyTorch 2.11 the first choice on H100 and B200, builds a plan for every pair
    # of lengths, tens of milliseconds each, and keeps them all; here nearly every text has lengths of its own.
    torch.backends.cuda.enable_cudnn_sdp(False)
    # Parts of a sum that cuBLAS splits would be rounded to bfloat16 before they are added.
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    # The default, but TORCH_ALLOW_TF32_CUBLAS_OVERRIDE of some images turns it round; float32 then has 10 bits.
    torch.set_float32_matmul_precision("highest")


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
