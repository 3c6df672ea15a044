"""The network of a run, which gets by with less memory when memory runs out."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from nodes.models.ladder import Ladder, freed
from nodes.models.parts import network
from nodes.models.pool import Pool
from nodes.models.residents import gib
from nodes.models.streaming import Stream
from nodes.models.unet import Unet
from nodes.models.variants import Variants
from nodes.recipes import Model
from nodes.sampling.guidance import WEIGHTS
from nodes.sampling.prediction import Inputs


class FrugalNetwork:
    """A diffusion network as guidance calls it: the whole batch at once while that fits.

    When memory runs out, what is not in use leaves it; then the blocks of the network come and go; then the batch is
    halved, until it is of one. What it took to get by is kept up for the calls that follow. ``tell`` hears each rung.
    Calls with hooked weights go to one of ``variants``.
    """

    def __init__(
        self, pool: Pool, model: Model, unet: Unet, tell: Callable[[str], None], variants: Variants | None = None
    ) -> None:
        self._pool, self._model = pool, model
        self._is_streamed = unet.stream is not None
        self._call = network(unet)
        self._variants = variants or Variants(pool, model, 0, tell)
        self._most = 0
        self._fits: tuple[int, int, object] | None = None
        self._ladder = Ladder(self._rungs(), tell)
        if unet.stream:
            tell(_streaming(unet.stream))

    def __call__(self, x: Tensor, timestep: Tensor, inputs: Inputs) -> Tensor:
        """Return the network's raw prediction for x (batch, ...), as ``prediction.Network`` has it.

        Raises:
            OutOfMemory: there is not enough for one latent.
        """
        return self._ladder.climb(lambda: self._predicted(x, timestep, inputs))

    def _predicted(self, x: Tensor, timestep: Tensor, inputs: Inputs) -> Tensor:
        size, weights = (min(len(x), self._most or len(x)), x[0, 0].numel()), inputs.get(WEIGHTS)
        needed = self._pool.working(self._model, *size)
        self._size = size
        call = weights and self._variants.network(weights, needed, self._is_streamed)
        call = call or self._call
        if (*size, weights) != self._fits:
            self._fits = None
            self._pool.residents.reserve(needed, f"The diffusion network at work on {size[0]} latents")
        if size[0] == len(x):
            prediction = call(x, timestep, inputs)
        else:
            cuts = [slice(start, start + size[0]) for start in range(0, len(x), size[0])]
            prediction = torch.cat([call(x[cut], timestep[cut], _cut(inputs, cut)) for cut in cuts])
        self._fits = *size, weights
        return prediction

    def _rungs(self) -> Iterator[str]:
        residents = self._pool.residents
        yield from freed(residents)
        least = self._pool.least(self._model) + self._variants.least_bytes
        if least + self._pool.working(self._model, *self._size) <= residents.budget_bytes:
            yield self._stream()
        while self._size[0] > 1:
            self._most = (self._size[0] + 1) // 2
            yield f"The batch is computed in parts of {self._most}."
        if not self._is_streamed:
            yield self._stream()

    def _stream(self) -> str:
        """Exchange the network for one whose blocks come and go. The old one has to be gone first."""
        del self._call
        self._variants.leave()
        working = self._pool.working(self._model, *self._size) + self._variants.least_bytes
        unet = self._pool.unet(self._model, working, streamed=True)
        assert unet.stream is not None
        self._call, self._fits, self._is_streamed = network(unet), None, True
        return _streaming(unet.stream)


def _streaming(stream: Stream) -> str:
    size, count = gib(sum(stream.sizes.values())), len(stream.sizes)
    return f"{size} of the diffusion network come in {count} blocks when they are needed, which takes longer."


def _cut(inputs: Inputs, rows: slice) -> dict[str, Any]:
    return {name: value[rows] if torch.is_tensor(value) else value for name, value in inputs.items()}
