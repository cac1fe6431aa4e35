"""A device that refuses what a GPU refuses, on any machine: torch's `meta`, with numbers behind it.

A tensor on `meta` has a shape and a type but no numbers, so that most of a program cannot run
there, and lookups and matrix products take tensors of the CPU beside it. Here each operation is
done on the CPU, with numbers that the program itself cannot reach, where a GPU would do it.
"""

from typing import Any

import torch
from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("meta")
CPU = torch.device("cpu")

_aten = torch.ops.aten
_COPIES = (_aten.copy_.default, _aten._to_copy.default)  # take tensors of two devices
_ITEM = _aten._local_scalar_dense.default
# Take a number from the CPU beside a tensor of the device, as those tagged as pointwise do.
_TAKE_NUMBERS = {
    *(_aten.fill_.Tensor, _aten.index_put.default, _aten.index_put_.default),
    *(_aten._index_put_impl_.default, _aten.masked_fill.Tensor, _aten.masked_fill_.Tensor),
}


class WrongDeviceError(AssertionError):
    """What would fail on a GPU, or have the program wait for it."""


class PretendedGPU(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, an operation on tensors of both devices raises WrongDeviceError.

    With `strict`, so do one that makes a tensor on the CPU, and one that waits for a number. What
    comes to the device without an operation, as from a file, is zeros.
    """

    def __init__(self, *, strict: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.strict = strict
        # Storages on `meta`, by their addresses, with what they hold; all kept, so that each has
        # an address of its own.
        self._memory = dict[int, tuple[UntypedStorage, UntypedStorage]]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        with self:  # operations that are made of others come whole in inference mode
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_device = [tensor for tensor in tensors if tensor.device == DEVICE]
        takes_numbers = func in _TAKE_NUMBERS or torch.Tag.pointwise in func.tags
        strays = [
            tensor
            for tensor in tensors
            if tensor.device != DEVICE and (tensor.dim() or not takes_numbers)
        ]
        if on_device and strays and func not in _COPIES:
            raise WrongDeviceError(f"{func} gets a tensor {[*strays[0].shape]} of the CPU, too")
        chosen = args[0].device if func is _COPIES[0] else kwargs.get("device")
        is_there = bool(on_device) if chosen is None else chosen == DEVICE
        if self.strict and (not is_there or func is _ITEM):
            raise WrongDeviceError(f"{func} makes a tensor on the CPU, or waits for the device")
        if func.is_view or torch.Tag.inplace_view in func.tags:  # only other shapes
            return func(*args, **kwargs)
        replaced = {"device": CPU} if chosen == DEVICE and "device" in kwargs else {}
        args_, kwargs_ = tree_map_only(Tensor, self._numbers, (args, {**kwargs, **replaced}))
        result = func(*args_, **kwargs_)
        if "empty" in func.name():
            result.zero_()
        if func._schema.is_mutable:
            return kwargs.get("out", args[0]) if isinstance(result, Tensor) else result
        return tree_map_only(Tensor, self._put, result) if is_there else result

    def _numbers(self, tensor: Tensor) -> Tensor:
        """The same tensor on the CPU; what is written to it is on the device."""
        if tensor.device != DEVICE:
            return tensor
        storage = tensor.untyped_storage()
        if storage._cdata not in self._memory:
            zeros = torch.zeros(storage.nbytes(), dtype=torch.uint8)
            self._memory[storage._cdata] = storage, zeros.untyped_storage()
        memory = self._memory[storage._cdata][1]
        place = tensor.storage_offset(), tensor.shape, tensor.stride()
        return torch.empty(0, dtype=tensor.dtype).set_(memory, *place)

    def _put(self, numbers: Tensor) -> Tensor:
        """A new tensor on the device with these numbers."""
        if numbers.untyped_storage().nbytes() != numbers.numel() * numbers.element_size():
            numbers = numbers.clone()  # of more, some of which other tensors may have
        tensor = torch.empty_strided(
            numbers.shape, numbers.stride(), dtype=numbers.dtype, device=DEVICE
        )
        storage = tensor.untyped_storage()
        self._memory[storage._cdata] = storage, numbers.untyped_storage()
        return tensor
