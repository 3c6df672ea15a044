"""What a run may be told about the machine and its numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """How nodes compute.

    ``device`` is ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``precision`` is ``auto``, ``fp32``, ``bf16`` or ``fp16``;
    ``ancestral_noise`` is ``next-seed`` or ``same-seed``; ``runtime`` names the compute library and its version;
    ``bf16`` says whether the device computes in bf16: beside fp16 the VAE works in it, else in fp32. With ``compile``
    networks are compiled before their first use. ``ram`` and ``vram`` are budgets in bytes, 0 for the default.
    """

    device: str = "cpu"
    precision: str = "auto"
    ancestral_noise: str = "next-seed"
    runtime: str = ""
    bf16: bool = True
    compile: bool = False
    ram: int = 0
    vram: int = 0

    @property
    def profile(self) -> tuple[str, ...]:
        """What a numeric result depends on besides its inputs, and no more. Part of the key of such nodes.

        ``auto`` is named by what it comes to, and ``bf16`` where it makes a difference.
        """
        kind = self.device.partition(":")[0]
        precision = self.precision
        if precision == "auto":
            precision = "fp32" if kind == "cpu" else "fp16"
        if precision == "fp16" and not self.bf16:
            precision = "fp16, vae fp32"
        compiled = ("compiled",) if self.compile else ()
        return (kind, precision, self.ancestral_noise, self.runtime, *compiled)
