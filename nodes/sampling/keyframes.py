"""Strengths that change from noise level to noise level, in steps."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A strength that counts from the noise level ``sigma`` down, for at least ``steps`` levels."""

    strength: float
    sigma: float
    steps: int


class Keyframes:
    """The strength at the levels of one run, which are asked for in the order in which it visits them.

    ``frames`` fall in sigma. The first one counts from the beginning on. At a new level the next one counts whose
    sigma is reached, once the one before has counted for its steps; several are passed over that ask for none.
    A frame above ``first_sigma``, the run's first level, asks for none. Not compared with the reference.
    """

    def __init__(self, frames: Sequence[Keyframe], first_sigma: float) -> None:
        self._frames = [
            Keyframe(frame.strength, frame.sigma, 0 if frame.sigma > first_sigma else frame.steps) for frame in frames
        ]
        self._place, self._used = 0, 0
        self._sigma: float | None = None

    def strength(self, sigma: float) -> float:
        """Return the strength at a level; 1 without frames."""
        if not self._frames:
            return 1.0
        if sigma != self._sigma:
            self._sigma = sigma
            self._move(sigma)
            self._used += 1
        return self._frames[self._place].strength

    def _move(self, sigma: float) -> None:
        while self._used >= self._frames[self._place].steps and self._place + 1 < len(self._frames):
            if self._frames[self._place + 1].sigma < sigma:
                return
            self._place, self._used = self._place + 1, 0
