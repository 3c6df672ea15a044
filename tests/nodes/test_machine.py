import ctypes
import shutil
import subprocess
import sys

import pytest

from nodes import machine as device
from nodes.machine import detect_device, memory_bytes, runtime


@pytest.fixture
def driver(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device, "DRIVERS", (tmp_path / "driver",))
    return tmp_path / "driver"


def test_cuda_where_there_is_a_driver(driver):
    assert detect_device("2.10.0") == "cpu"
    driver.touch()
    assert detect_device("2.10.0") == "cuda"
    assert detect_device("2.10.0+cu130") == "cuda"


def test_a_build_without_cuda_stays_on_the_cpu(driver):
    driver.touch()
    assert detect_device("2.10.0+cpu") == "cpu"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_devices_are_not_used(driver, monkeypatch, hidden):
    driver.touch()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert detect_device("2.10.0") == "cpu"


@pytest.mark.parametrize(("machine", "expected"), [("arm64", "mps"), ("x86_64", "cpu")])
def test_apple(monkeypatch, machine, expected):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert detect_device("2.10.0") == expected


@pytest.mark.parametrize(("version", "expected"), [("2.10.0+cpu", "torch 2.10"), ("2.11", "torch 2.11"), ("", "")])
def test_runtime_names_major_and_minor(version, expected):
    assert runtime(version) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [([], True), ([(7, 5)], False), ([(8, 0)], True), ([(9, 0), (7, 5)], False), ([(12, 0)], True)],
)
def test_nvidia_computes_in_bf16_from_ampere_on(monkeypatch, found, expected):
    monkeypatch.setattr(device, "compute_capabilities", lambda: found)
    assert device.has_bf16("cuda:1") is expected
    assert device.has_bf16("mps")


@pytest.mark.parametrize(("flags", "expected"), [("avx2 avx512f", False), ("avx512f amx_bf16 amx_tile", True)])
def test_processors_compute_in_bf16_where_they_are_marked_so(monkeypatch, tmp_path, flags, expected):
    monkeypatch.setattr(device, "CPU_FACTS", tmp_path / "cpuinfo")
    assert device.has_bf16("cpu")
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} lm\n")
    assert device.has_bf16("cpu") is expected


NVML = """
int nvmlInit_v2(void) { return %d; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **handle) { *handle = (void *)(0x700000000000 + i); return 0; }
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    *major = handle == (void *)0x700000000001 ? 7 : 9;
    *minor = *major == 7 ? 5 : 0;
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler to build a driver library")
@pytest.mark.parametrize(("status", "expected"), [(0, [(9, 0), (7, 5)]), (1, [])])
def test_the_driver_is_asked_as_it_wants_to_be(tmp_path, monkeypatch, status, expected):
    source, library = tmp_path / "nvml.c", tmp_path / "libnvidia-ml.so.1"
    source.write_text(NVML % status)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    load = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda name: load(str(tmp_path / name)))
    assert device.compute_capabilities() == expected


def test_without_a_driver_nothing_is_found(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    assert device.compute_capabilities() == []


def test_a_container_has_the_memory_that_it_is_given(tmp_path):
    limit, none = tmp_path / "memory.max", tmp_path / "unlimited"
    limit.write_text("1048576\n")
    none.write_text("max\n")
    assert memory_bytes([limit, none, tmp_path / "missing"]) == 1048576
    assert memory_bytes([none]) == memory_bytes([])
    assert memory_bytes([]) > 2**28
