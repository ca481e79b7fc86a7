"""What a model in this process changes for the whole process. Everything else here belongs to one model.

Two models of one process would share it, and so would other users of PyTorch and transformers beside them.
"""

from __future__ import annotations

import os
from typing import Any


def pin_threads(threads: int) -> None:
    """CPU threads of one operation. PyTorch counts them for each calling thread, so it is called before every batch:
    whoever changed it since would change the rounding."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def share_key_heads() -> None:
    """transformers' own switch: keys that several heads share are not copied for each.

    For CPUs, where the scores are bitwise the same. On CUDA it would choose a slow kernel where there is a mask.
    """
    os.environ["TRANSFORMERS_SDPA_FORCE_GQA"] = "1"  # noqa: TID251 - no setting of ours; it is written, not read


def register_attention(name: str, attention: Any, mask: Any) -> None:
    """Makes an implementation of attention known to transformers, by which a model can then be told to compute it."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)


def steady_cuda() -> None:
    """A GPU computes as exactly and as evenly as the CPU from then on."""
    import torch

    # The attention of cuDNN, since PyTorch 2.11 the first choice on H100 and B200, builds a plan for every pair
    # of lengths, tens of milliseconds each, and keeps them all; here nearly every text has lengths of its own.
    torch.backends.cuda.enable_cudnn_sdp(False)
    # Parts of a sum that cuBLAS splits would be rounded to bfloat16 before they are added.
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    # The default, but TORCH_ALLOW_TF32_CUBLAS_OVERRIDE of some images turns it round; float32 then has 10 bits.
    torch.set_float32_matmul_precision("highest")
