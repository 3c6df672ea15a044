"""Byte form of torch tensors (a codec of `engine.values`)."""

import torch

from engine.values import NoByteForm


def encode(value: torch.Tensor) -> tuple[str, tuple[int, ...], memoryview]:
    """Return dtype name, shape and elements of a dense tensor of any dtype, on any device, with any strides."""
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        raise NoByteForm("a sparse, quantized or meta tensor has no byte form", got=f"{value.layout} on {value.device}")
    try:
        plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    except NotImplementedError as error:
        raise NoByteForm(f"a tensor of {value.dtype} has no byte form", got=value.dtype) from error
    elements = plain.as_strided((plain.numel(),), (1,)).view(torch.uint8).numpy()
    return str(value.dtype).removeprefix("torch."), tuple(value.shape), elements.data


def beside(value: torch.Tensor, elements: memoryview) -> int:
    """Return how many bytes of main memory the tensor keeps alive besides its elements."""
    if value.device.type != "cpu":
        return 0
    storage = value.untyped_storage()
    shares = elements.nbytes and value.data_ptr() == torch.frombuffer(elements, dtype=torch.uint8).data_ptr()
    return storage.nbytes() - (elements.nbytes if shares else 0)


def decode(dtype: str, shape: tuple[int, ...], buffer: memoryview) -> torch.Tensor:
    """Return the tensor on the CPU. It shares a buffer that is writable and aligned, else it is a copy."""
    kind = getattr(torch, dtype)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"{dtype} is not a dtype")
    if not buffer.nbytes:
        return torch.empty(0, dtype=kind).reshape(shape)
    raw = torch.frombuffer(bytearray(buffer) if buffer.readonly else buffer, dtype=torch.uint8)
    aligned = raw if raw.data_ptr() % kind.itemsize == 0 else raw.clone()
    return aligned.view(kind).reshape(shape)
