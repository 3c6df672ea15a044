"""Networks of a run that hooks of prompts change: each beside the one without them, with which it shares weights."""

from collections.abc import Callable
from dataclasses import replace

from nodes.models.assemble import Source
from nodes.models.hooked_weights import HookedWeights
from nodes.models.parts import network
from nodes.models.patch import untouched
from nodes.models.placement import needed_bytes, placed
from nodes.models.pool import Pool, kept
from nodes.models.residents import gib
from nodes.models.unet import Unet
from nodes.recipes import Model, WeightPatch
from nodes.sampling.prediction import Network
from nodes.weight_hooks import Hooks

Patches = tuple[WeightPatch, ...]


class Variants:
    """The networks of one run under the patches that hooks of its prompts are, one for each group of hooks.

    ``count`` is how many groups there are. A network is kept as long as the strengths of its hooks stay what they are,
    so weights are patched once for each of them; where there is no room beside the one without hooks, its blocks are
    patched when they are called, each time. They are run as written: none is compiled.
    Use it within ``residents.together``. ``tell`` hears what comes in blocks.
    """

    def __init__(self, pool: Pool, model: Model, count: int, tell: Callable[[str], None]) -> None:
        self._pool, self._model, self._tell = pool, model, tell
        self._found: dict[Hooks, tuple[Patches, Network]] = {}
        self._least = pool.least(model) if count else 0
        self.least_bytes = count * self._least
        """The least that all of them take together."""

    def network(self, weights: HookedWeights, working: int, streamed: bool) -> Network | None:
        """Return the network under hooks, None where they change nothing now; see ``placed`` for its memory."""
        known = self._found.get(weights.hooks)
        if known and known[0] == weights.patches:
            return known[1]
        if known:
            self._leave(weights.hooks)
        if not weights.patches:
            return None
        to_come = self.least_bytes - self._least * (len(self._found) + 1)
        unet = self._placed(weights.patches, working + to_come, streamed)
        if unet.stream:
            size = gib(sum(unet.stream.sizes.values()))
            self._tell(f"There is no room to keep weights under hooks: {size} of them are patched at each step.")
        made = network(unet)
        self._found[weights.hooks] = weights.patches, made
        return made

    def leave(self) -> None:
        """Let all of them leave the memory."""
        for hooks in [*self._found]:
            self._leave(hooks)

    def _leave(self, hooks: Hooks) -> None:
        patches, _ = self._found.pop(hooks)
        if all(patches != others for others, _ in self._found.values()):
            self._pool.residents.leave(self._recipe(patches), for_good=True)

    def _recipe(self, patches: Patches) -> Model:
        return replace(self._model, patches=(*self._model.patches, *patches), options=())

    def _placed(self, patches: Patches, working: int, streamed: bool) -> Unet:
        """Return the network under more patches than the model has. Those of its weights that they leave are shared.

        Raises:
            ModelError: a patch is made for another family.
        """
        pool, base, recipe = self._pool, kept(self._model), self._recipe(patches)
        checkpoint, described, weights = pool.checkpoint(base.file), pool.network(base), pool.weights(base.file)
        there = pool.residents.peek(base)
        added = pool.patches(replace(base, patches=patches), base.file, described)
        shared = untouched(there.module.state_dict(), added) if there and not there.stream else {}
        plain = Source(described, weights, pool.device, pool.casts(base, described), added, shared)

        def source() -> Source:
            return replace(plain, patches=[*pool.patches(base, base.file, described), *added])

        return placed(
            pool.residents,
            recipe,
            lambda: pool.sizes(recipe),
            needed_bytes(plain),
            source,
            lambda module, stream: Unet(
                module, checkpoint.prediction, checkpoint.latent, described, plain.casts[-1], stream
            ),
            working,
            streamed,
        )
