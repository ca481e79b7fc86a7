"""vLLM's linear layers on a CPU, without packing their weights.

It packs each weight when it loads the model and computes with the packed copy ever after: weights that come later
would be refused, or taken and never used. Imported before the model is loaded, this has every layer compute with its
weight as it is.
"""

import torch
from vllm.model_executor.layers import utils


def use_weight_as_it_is(layer, remove_weight):
    layer.cpu_linear = torch.nn.functional.linear


utils.dispatch_cpu_unquantized_gemm = use_weight_as_it_is
