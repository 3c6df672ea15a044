import sys

import pytest

from nodes import machine as device
from nodes.machine import detect_device, runtime


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
