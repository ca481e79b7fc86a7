"""Weights from DeepSpeed to vLLM without NCCL: over the sockets of vLLM's own group, a tensor at a time."""

from vllm.distributed.utils import StatelessProcessGroup


class SocketGroup:
    """`broadcast` as PyNcclCommunicator has it: in place, from `src` to all others."""

    def __init__(self, group):
        self.group = group

    def broadcast(self, tensor, src, stream=None):
        sent = self.group.broadcast_obj(tensor.detach().clone() if self.group.rank == src else None, src)
        if self.group.rank != src:
            tensor.copy_(sent)


def stateless_init_process_group(master_address, master_port, rank, world_size, device):
    return SocketGroup(
        StatelessProcessGroup.create(host=master_address, port=master_port, rank=rank, world_size=world_size)
    )
