"""Which device to compute on when nobody says, found without loading the compute library."""

import os
import platform
import sys
from pathlib import Path

DRIVERS = (Path("/dev/nvidiactl"), Path("/usr/lib/wsl/lib/libcuda.so.1"), Path("C:/Windows/System32/nvcuda.dll"))
"""Where the NVIDIA driver shows on Linux, on Linux under Windows, and on Windows."""


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
