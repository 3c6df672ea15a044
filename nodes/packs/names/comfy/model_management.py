"""Devices, dtypes and memory: the module ``comfy.model_management`` over our settings and torch.

Weights belong to the pool, which makes room by itself: what asks to load or unload models does nothing.
"""

import sys
from collections.abc import Sequence
from enum import Enum
from functools import cache
from typing import Any, cast

import psutil
import torch
from torch import Tensor

import nodes
from engine.settings import Settings
from nodes.models.precision import Policy, Precision, policy
from nodes.packs import current
from nodes.packs.names import progress
from nodes.packs.names.placeholders import members_of

__getattr__ = members_of(__name__)

DeviceLike = torch.device | str | None

InterruptProcessingException = progress.InterruptProcessingException
OOM_EXCEPTION = torch.OutOfMemoryError
DISABLE_SMART_MEMORY = False
XFORMERS_IS_AVAILABLE = False
lowvram_available = True
in_training = False
current_loaded_models: list[Any] = []


class VRAMState(Enum):
    DISABLED = 0
    NO_VRAM = 1
    LOW_VRAM = 2
    NORMAL_VRAM = 3
    HIGH_VRAM = 4
    SHARED = 5


class CPUState(Enum):
    GPU = 0
    CPU = 1
    MPS = 2


# Devices.


@cache
def _own_settings() -> Settings:
    return nodes.settings()


def _settings() -> Settings:
    context = current.context()
    return context.settings if context else _own_settings()


def get_torch_device() -> torch.device:
    """Return the device that networks run on."""
    device = torch.device(_settings().device)
    return torch.device("cpu") if device.type == "cuda" and not torch.cuda.is_available() else device


def _host(*args: Any, **kwargs: Any) -> torch.device:
    return torch.device("cpu")


def _device(*args: Any, **kwargs: Any) -> torch.device:
    return get_torch_device()


intermediate_device = unet_offload_device = vae_offload_device = text_encoder_offload_device = _host
"""Where pictures, latents and weights that are not in use are."""

text_encoder_device = vae_device = unet_inital_load_device = text_encoder_initial_device = _device

cpu_state = {"cpu": CPUState.CPU, "mps": CPUState.MPS}.get(get_torch_device().type, CPUState.GPU)
vram_state = set_vram_to = VRAMState.NORMAL_VRAM if cpu_state is CPUState.GPU else VRAMState.DISABLED


def get_all_torch_devices(exclude_current: bool = False) -> list[torch.device]:
    """Return the device of this process: others have processes of their own."""
    return [] if exclude_current else [get_torch_device()]


def get_torch_device_name(device: DeviceLike) -> str:
    """Return a device's name for people."""
    device = torch.device(device or "cpu")
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def get_autocast_device(dev: DeviceLike) -> str:
    return torch.device(dev or "cpu").type


def is_device_type(device: DeviceLike, type: str) -> bool:
    return device is not None and torch.device(device).type == type


def is_device_cpu(device: DeviceLike) -> bool:
    return is_device_type(device, "cpu")


def is_device_mps(device: DeviceLike) -> bool:
    return is_device_type(device, "mps")


def is_device_cuda(device: DeviceLike) -> bool:
    return is_device_type(device, "cuda")


def is_device_xpu(device: DeviceLike) -> bool:
    return is_device_type(device, "xpu")


def is_nvidia() -> bool:
    return get_torch_device().type == "cuda" and torch.version.hip is None


def is_amd() -> bool:
    return get_torch_device().type == "cuda" and torch.version.hip is not None


def _no(*args: Any, **kwargs: Any) -> bool:
    return False


is_intel_xpu = is_ascend_npu = is_mlu = is_ixuca = is_directml_enabled = directml_enabled = _no
xformers_enabled = xformers_enabled_vae = sage_attention_enabled = flash_attention_enabled = _no
force_upcast_attention_dtype = force_channels_last = device_should_use_non_blocking = _no


def cpu_mode() -> bool:
    return get_torch_device().type == "cpu"


def mps_mode() -> bool:
    return get_torch_device().type == "mps"


def pytorch_attention_enabled() -> bool:
    """Return whether attention is torch's own. It is."""
    return True


pytorch_attention_enabled_vae = pytorch_attention_flash_attention = pytorch_attention_enabled


def mac_version() -> tuple[int, ...] | None:
    """Return the parts of the version of macOS, or None elsewhere."""
    import platform

    found = platform.mac_ver()[0]
    return tuple(int(part) for part in found.split(".")) if found and sys.platform == "darwin" else None


# Dtypes.


def _policy() -> Policy:
    settings = _settings()
    return policy(cast(Precision, settings.precision), get_torch_device().type, settings.bf16)


def unet_dtype(*args: Any, **kwargs: Any) -> torch.dtype:
    """Return the dtype that diffusion networks are kept in."""
    return _policy().unet[-1]


def vae_dtype(*args: Any, **kwargs: Any) -> torch.dtype:
    """Return the dtype that autoencoders are kept in."""
    return _policy().vae[-1]


def text_encoder_dtype(*args: Any, **kwargs: Any) -> torch.dtype:
    """Return the dtype that text encoders are kept in."""
    return _policy().text[-1]


def intermediate_dtype() -> torch.dtype:
    """Return the dtype of pictures and latents on wires."""
    return torch.float32


def unet_manual_cast(
    weight_dtype: torch.dtype | None, inference_device: DeviceLike, *args: Any, **kwargs: Any
) -> torch.dtype | None:
    """Return the dtype to compute in where weights of a dtype do not compute in their own, else None."""
    computes = _policy().unet[-1]
    return None if weight_dtype in (None, computes, torch.float32) else computes


def should_use_fp16(device: DeviceLike = None, *args: Any, **kwargs: Any) -> bool:
    """Return whether a device computes in fp16 to advantage."""
    return torch.device(device or get_torch_device()).type != "cpu"


def should_use_bf16(device: DeviceLike = None, *args: Any, **kwargs: Any) -> bool:
    """Return whether a device computes in bf16 to advantage."""
    return torch.device(device or get_torch_device()).type != "cpu" and _settings().bf16


def supports_dtype(device: DeviceLike, dtype: torch.dtype) -> bool:
    """Return whether networks may be computed in a dtype on a device."""
    return dtype == torch.float32 or (dtype in (torch.float16, torch.bfloat16) and not is_device_cpu(device))


def supports_cast(device: DeviceLike, dtype: torch.dtype) -> bool:
    """Return whether a device casts from a dtype."""
    return not (is_device_mps(device) and dtype in (torch.float8_e4m3fn, torch.float8_e5m2, torch.float64))


supports_fp8_compute = supports_nvfp4_compute = supports_fp64 = _no


def dtype_size(dtype: torch.dtype) -> int:
    """Return the bytes of one number."""
    return dtype.itemsize


def device_supports_non_blocking(device: DeviceLike) -> bool:
    return not is_device_mps(device)


def cast_to(
    weight: Tensor,
    dtype: torch.dtype | None = None,
    device: DeviceLike = None,
    non_blocking: bool = False,
    copy: bool = False,
    stream: Any = None,
) -> Tensor:
    """Return a tensor on a device in a dtype; both stay where nothing is said."""
    return weight.to(device or weight.device, dtype or weight.dtype, non_blocking=non_blocking, copy=copy)


def cast_to_device(tensor: Tensor, device: DeviceLike, dtype: torch.dtype | None, copy: bool = False) -> Tensor:
    """Return a tensor on a device in a dtype."""
    return cast_to(tensor, dtype, device, copy=copy)


# Memory.


def get_total_memory(dev: DeviceLike = None, torch_total_too: bool = False) -> Any:
    """Return the bytes of a device's memory; on request with those of torch's allocator."""
    device = torch.device(dev or get_torch_device())
    if device.type != "cuda":
        total = reserved = psutil.virtual_memory().total
    else:
        total = torch.cuda.mem_get_info(device)[1]
        reserved = torch.cuda.memory_reserved(device)
    return (total, reserved) if torch_total_too else total


def get_free_memory(dev: DeviceLike = None, torch_free_too: bool = False) -> Any:
    """Return the bytes that are free on a device; on request with those of them that torch's allocator holds."""
    device = torch.device(dev or get_torch_device())
    if device.type != "cuda":
        free = unused = psutil.virtual_memory().available
    else:
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free = torch.cuda.mem_get_info(device)[0] + unused
    return (free, unused) if torch_free_too else free


total_ram = psutil.virtual_memory().total / 2**20
total_vram = get_total_memory() / 2**20


def minimum_inference_memory() -> float:
    """Return the bytes that are kept free of weights. The pool does that by itself."""
    return 0.0


extra_reserved_memory = minimum_inference_memory


def module_size(module: torch.nn.Module) -> int:
    """Return the bytes of a module's weights."""
    return sum(tensor.nbytes for tensor in module.state_dict().values())


def soft_empty_cache(force: bool = False) -> None:
    """Give what torch's allocator does not use back to the device."""
    if get_torch_device().type == "cuda":
        torch.cuda.empty_cache()


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Do nothing: the pool does what is needed by itself."""


load_model_gpu = load_models_gpu = cleanup_models = cleanup_models_gc = unload_model_clones = _nothing
unload_model_and_clones = archive_model_dtypes = _nothing


def unload_all_models() -> None:
    """Let every network leave the device that is not in use."""
    context = current.context()
    if context:
        from nodes.models.service import pool

        context.use(pool).residents.free()
    soft_empty_cache()


def free_memory(
    memory_required: float, device: DeviceLike, keep_loaded: Sequence[Any] = (), *args: Any, **kwargs: Any
) -> list[Any]:
    """Make room on a device as `unload_all_models` does. Returns the models that left: none that foreign code knows."""
    unload_all_models()
    return []


def loaded_models(only_currently_used: bool = False) -> list[Any]:
    """Return the models that foreign code has loaded: none."""
    return []


def is_oom(e: BaseException) -> bool:
    """Return whether an error says that a device ran out of memory."""
    return isinstance(e, OOM_EXCEPTION)


def raise_non_oom(e: BaseException) -> None:
    """Raise an error again, unless it says that a device ran out of memory."""
    if not is_oom(e):
        raise e


# Interruption.


def throw_exception_if_processing_interrupted() -> None:
    """Stop here if the run was cancelled.

    Raises:
        InterruptProcessingException: it was.
    """
    progress.check(current.context())


def processing_interrupted() -> bool:
    """Return whether the run was cancelled."""
    try:
        throw_exception_if_processing_interrupted()
    except InterruptProcessingException:
        return True
    return False


def interrupt_current_processing(value: bool = True) -> None:
    """Ask that the run of the node that calls this ends, or take that back."""
    progress.interrupt(current.context(), value)
