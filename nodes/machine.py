"""Which device to compute on when nobody says, found without loading the compute library."""

import ctypes
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

DRIVERS = (Path("/dev/nvidiactl"), Path("/usr/lib/wsl/lib/libcuda.so.1"), Path("C:/Windows/System32/nvcuda.dll"))
"""Where the NVIDIA driver shows on Linux, on Linux under Windows, and on Windows."""

LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container's limit stands, in bytes, in either version of control groups."""


def detect_device(torch: str) -> str:
    """Return ``cuda``, ``mps`` or ``cpu``: what the machine has and this build of torch can use."""
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else "cpu"
    if "+cpu" in torch or os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return "cpu"
    drivers = (Path("/dev/kfd"),) if "+rocm" in torch else DRIVERS
    return "cuda" if any(driver.exists() for driver in drivers) else "cpu"


def all_devices(torch: str) -> list[str]:
    """Return every device to compute on: each GPU (``cuda:0``, ``cuda:1``), or the one that there is."""
    device = detect_device(torch)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = len(chosen.split(",")) if chosen else len(list(Path("/dev").glob("nvidia[0-9]*")))
    return [f"cuda:{index}" for index in range(count)] if device == "cuda" and count > 1 else [device]


CPU_FACTS = Path("/proc/cpuinfo")
"""Where Linux tells what its processors can do."""

BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""What processors are marked with that compute in bf16: two of Intel's and AMD's, and ARM's."""


def has_bf16(device: str) -> bool:
    """Return whether a device computes in bf16.

    All do but NVIDIA's from before compute capability 8.0 (Ampere), and processors that Linux does not mark so. Of
    several NVIDIA devices the oldest decides: which of them a number means is known to the driver alone.
    """
    if device == "cpu" and CPU_FACTS.is_file():
        return not BF16_FLAGS.isdisjoint(CPU_FACTS.read_text().split())
    found = compute_capabilities() if device.startswith("cuda") else []
    return min(found, default=(8, 0)) >= (8, 0)


def compute_capabilities() -> list[tuple[int, int]]:
    """Return the compute capability of each NVIDIA device, as the driver's management library (NVML) tells it."""
    try:
        nvml = ctypes.CDLL("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
    except OSError:
        return []
    if nvml.nvmlInit_v2():
        return []
    number, device, major, minor = ctypes.c_uint(), ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(number))
    found = []
    for index in range(number.value):
        nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device))
        nvml.nvmlDeviceGetCudaComputeCapability(device, ctypes.byref(major), ctypes.byref(minor))
        found.append((major.value, minor.value))
    nvml.nvmlShutdown()
    return found


def memory_bytes(limits: Sequence[Path] = LIMITS) -> int:
    """Return the memory of the machine, or of the container that this process is in."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else [8 * 2**30]
    texts = [limit.read_text().strip() for limit in limits if limit.is_file()]
    return min([*found, *(int(text) for text in texts if text.isdigit())])


def torch_version() -> str:
    """Return the installed version of torch from its metadata, or an empty text when it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and only runs need it

    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def runtime(torch: str) -> str:
    """Return what a numeric result depends on: the library with its major and minor version, such as ``torch 2.10``."""
    return f"torch {'.'.join(torch.partition('+')[0].split('.')[:2])}" if torch else ""
