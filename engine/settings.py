"""What a run may be told about the machine and its numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How nodes compute.

    ``device`` is ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``precision`` is ``auto``, ``fp32``, ``bf16`` or ``fp16``;
    ``ancestral_noise`` is ``next-seed`` or ``same-seed``; ``runtime`` names the compute library and its version;
    ``ram`` and ``vram`` are budgets in bytes, 0 for the default.
    """

    device: str = "cpu"
    precision: str = "auto"
    ancestral_noise: str = "next-seed"
    runtime: str = ""
    ram: int = 0
    vram: int = 0

    @property
    def profile(self) -> tuple[str, ...]:
        """What a numeric result depends on besides its inputs. Part of the key of such nodes."""
        return (self.device.partition(":")[0], self.precision, self.ancestral_noise, self.runtime)
