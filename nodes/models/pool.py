"""The model pool: the only owner of weights. Recipes go in, ready modules come out."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.errors import ModelError
from nodes.models import families, lora
from nodes.models.assemble import assemble
from nodes.models.controlnet import Controlnet
from nodes.models.families import controlnet, sdxl
from nodes.models.families.checkpoint import Checkpoint, Network, TextEncoder
from nodes.models.memory import Resident, held, victims
from nodes.models.patch import Mixing, Patch, Rounding, mixing
from nodes.models.precision import Casts, Precision, policy
from nodes.models.text import Text, TextModel, embedding
from nodes.models.unet import Unet
from nodes.models.upscaler import Upscaler, build_upscaler
from nodes.models.vae import Autoencoder
from nodes.models.weights import Weights, open_weights
from nodes.recipes import Clip, ControlNet, FileRef, LoraPatch, Merge, Model, Rounded, UpscaleModel, Vae, WeightPatch

Built = TypeVar("Built")


@dataclass(slots=True)
class _Place:
    """Where one recipe's modules are kept. The lock is held while they are built."""

    building: Lock = field(default_factory=Lock)
    value: Any = None
    modules: Sequence[nn.Module] = ()
    last_use: int = 0


class Pool:
    """Builds modules from recipes and keeps those used last, up to a budget of bytes.

    ``device`` is as torch names it. ``locate`` finds the file of a reference and raises FileError where it is gone.
    Safe to use from several threads: a recipe is built once, different ones side by side. What a caller holds stays
    valid after it is evicted. Every method raises FileError or ModelError where a file is not what the recipe wants.
    """

    def __init__(
        self,
        device: str,
        precision: Precision,
        budget_bytes: int,
        locate: Callable[[FileRef], Path],
        *,
        bf16: bool = True,
    ) -> None:
        self.device = torch.device(device)
        self.policy = policy(precision, self.device.type, bf16)
        self.budget_bytes = budget_bytes
        self._locate = locate
        self._files: dict[FileRef, tuple[Weights, Checkpoint | None]] = {}
        self._places: dict[Hashable, _Place] = {}
        self._lock = Lock()
        self._uses = count(1)

    def weights(self, file: FileRef) -> Weights:
        """Return the opened file of a reference."""
        with self._lock:
            known = self._files.get(file)
        if known:
            return known[0]
        opened = open_weights(self._locate(file))
        with self._lock:
            return self._files.setdefault(file, (opened, None))[0]

    def checkpoint(self, file: FileRef) -> Checkpoint:
        """Return what a file holds. Reads its header only."""
        weights = self.weights(file)
        with self._lock:
            known = self._files.get(file, (weights, None))[1]
        if known:
            return known
        found = families.detect(weights)
        with self._lock:
            first = self._files.get(file, (weights, None))[1] or found
            self._files[file] = (weights, first)
        return first

    def unet(self, model: Model) -> Unet:
        """Return the diffusion network of a recipe, its LoRAs merged in. Options of the recipe change nothing here."""
        checkpoint, network = self.checkpoint(model.file), self.network(model)
        model = Model(model.file, model.patches)
        return self._get(
            model,
            self._bytes(model.file, [network], self.policy.unet),
            lambda: Unet(self._assembled(model, model.file, network), checkpoint.prediction, checkpoint.latent),
            lambda unet: [unet.module],
        )

    def text(self, clip: Clip) -> Text:
        """Return the text encoders of a recipe, patched. ``clip.layer`` is an argument of ``encode``."""
        encoders, recipe = self.encoders(clip), replace(clip, layer=None)
        return self._get(
            recipe,
            sum(self._bytes(file, [encoder.network], self.policy.text) for file, encoder in encoders),
            lambda: Text(tuple(TextModel(each, self._assembled(recipe, file, each)) for file, each in encoders)),
            lambda text: [model.module for model in text.models],
        )

    def encoders(self, clip: Clip) -> tuple[tuple[FileRef, TextEncoder], ...]:
        """Return the text encoders of a recipe, each with its file. Reads headers only.

        Raises ModelError where there is none, or two files are not SDXL's two.
        """
        found = [(file, encoder) for file in clip.files for encoder in self.checkpoint(file).text]
        if clip.beside is None:
            self._part(clip.file, found[0][1].network if found else None, "text encoder")
            return tuple(found)
        joined = sdxl.joined(found)
        if joined is None:
            names = " and ".join(self.weights(file).path.name for file in clip.files)
            raise ModelError(
                f"{names} are not the two text encoders of SDXL",
                got=", ".join(encoder.name for _, encoder in found) or "no text encoder",
                expected="CLIP's L in one file and OpenCLIP's bigG in the other",
            )
        return joined

    def vae(self, vae: Vae) -> Autoencoder:
        """Return the image autoencoder of a recipe."""
        checkpoint, network = self.checkpoint(vae.file), self.vae_network(vae)
        return self._get(
            vae,
            self._bytes(vae.file, [network], self.policy.vae),
            lambda: Autoencoder(
                assemble(network, self.weights(vae.file), self.device, self.policy.vae), checkpoint.latent
            ),
            lambda autoencoder: [autoencoder.module],
        )

    def vae_network(self, vae: Vae) -> Network:
        """Return the image autoencoder of a recipe. Reads its header only. Raises ModelError where there is none."""
        return self._part(vae.file, self.checkpoint(vae.file).vae, "VAE")

    def control_network(self, net: ControlNet) -> Network:
        """Return what a ControlNet is made of. Reads its header only."""
        return controlnet.detect(self.weights(net.file))

    def unused_by_control(self, net: ControlNet) -> tuple[str, ...]:
        """Return the tensors of a ControlNet's file that have no place in it. Reads its header only."""
        used = {*self.control_network(net).keys.values(), controlnet.DIFFERENCE}
        return tuple(name for name in self.weights(net.file).infos if name not in used)

    def controlnet(self, net: ControlNet) -> Controlnet:
        """Return the ControlNet of a recipe."""
        network, casts = self.control_network(net), self.policy.unet

        def build() -> Controlnet:
            module = assemble(network, self._control_weights(net, network), self.device, casts)
            return Controlnet(module, controlnet.factor(network))

        return self._get(net, self._bytes(net.file, [network], casts), build, lambda found: [found.module])

    def _control_weights(self, net: ControlNet, network: Network) -> Weights:
        weights = self.weights(net.file)
        if net.base is None or controlnet.DIFFERENCE not in weights.infos:
            return weights
        unet = self._part(net.base, self.checkpoint(net.base).unet, "diffusion network")
        return controlnet.summed(weights, network, self.weights(net.base), unet)

    def upscaler(self, model: UpscaleModel) -> Upscaler:
        """Return the upscaler of a recipe, in float32."""
        weights = self.weights(model.file)
        needed = sum(info.numbers * 4 for info in weights.infos.values())
        return self._get(model, needed, lambda: build_upscaler(weights, self.device), lambda found: [found.module])

    def embedding(self, file: FileRef) -> tuple[Tensor, ...]:
        """Return the tables (rows, width) of a textual inversion, one for each encoder, float32, on the CPU."""
        return embedding(self.weights(file))

    def unused(self, patch: LoraPatch, files: Sequence[FileRef]) -> tuple[str, ...]:
        """Return the tensors of a LoRA that change none of the networks of the files. Reads headers only.

        Raises ModelError where it changes nothing, or is made for another family.
        """
        parts = [(self.weights(file), network) for file in files for network in _networks(self.checkpoint(file))]
        return lora.check(self.weights(patch.file), parts)

    @property
    def held_bytes(self) -> int:
        """The bytes of all modules that are kept; weights that two of them share count once."""
        with self._lock:
            return held(self._residents())

    def drop(self) -> None:
        """Forget every module and every opened file."""
        with self._lock:
            self._places.clear()
            self._files.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _part(self, file: FileRef, network: Network | None, name: str) -> Network:
        if network is None:
            holds = [kind for kind, part in _parts(self.checkpoint(file)) if part]
            path = self.weights(file).path
            raise ModelError(f"{path.name} holds no {name}", got=", ".join(holds), expected=f"a file with a {name}")
        return network

    def _bytes(self, file: FileRef, networks: Sequence[Network], casts: Casts) -> int:
        weights = self.weights(file)
        numbers = sum(prod(network.shape(weights, name)) for network in networks for name in network.keys)
        return numbers * casts[-1].itemsize

    def _assembled(self, recipe: Model | Clip, file: FileRef, part: Network | TextEncoder) -> nn.Module:
        """Assemble a network under the patches of its recipe; it shares what they leave alone if that is in memory."""
        casts = self.policy.unet if isinstance(recipe, Model) else self.policy.text
        network = part if isinstance(part, Network) else part.network
        shared = self._shared(replace(recipe, patches=()), network) if recipe.patches else None
        return assemble(network, self.weights(file), self.device, casts, self.patches(recipe, file, part), shared)

    def patches(self, recipe: Model | Clip, file: FileRef, part: Network | TextEncoder) -> list[Patch]:
        """Return the patches of a recipe, fitted to its UNet or one of its text encoders. Reads headers only.

        Raises ModelError where one is made for another family.
        """
        return [self._fitted(patch, file, part) for patch in recipe.patches]

    def kept_apart(self, recipe: Model | Clip, merge: Merge) -> tuple[str, ...]:
        """Return the weights of a recipe that a merge takes nothing for, since they have another shape in the other.

        Reads headers only. Raises ModelError where the two are not of the same family.
        """
        if isinstance(recipe, Model):
            found: list[tuple[FileRef, Network | TextEncoder]] = [(recipe.file, self.network(recipe))]
        else:
            found = [*self.encoders(recipe)]
        mixed = [self._fitted(merge, file, part) for file, part in found]
        return tuple(name for each in mixed if isinstance(each, Mixing) for name in each.apart)

    def network(self, model: Model) -> Network:
        """Return the diffusion network of a recipe. Reads its header only. Raises ModelError where there is none."""
        return self._part(model.file, self.checkpoint(model.file).unet, "diffusion network")

    def _fitted(self, patch: WeightPatch, file: FileRef, part: Network | TextEncoder) -> Patch:
        base = self.weights(file), part if isinstance(part, Network) else part.network
        match patch:
            case LoraPatch():
                weights = self.weights(patch.file)
                return lora.Patch(weights, lora.fit(weights, *base), patch.strength)
            case Rounded():
                return Rounding(getattr(torch, patch.dtype))
            case Merge():
                others, other = self._counterpart(patch.other, part)
                network = other if isinstance(other, Network) else other.network
                own = self.patches(patch.other, others, other)
                return mixing(base, (self.weights(others), network), own, patch.shares)

    def _counterpart(self, other: Model | Clip, part: Network | TextEncoder) -> tuple[FileRef, Network | TextEncoder]:
        """Return the part of a recipe that can be merged into a part of another one, with its file."""
        if isinstance(other, Model):
            return other.file, self.network(other)
        found = self.encoders(other)
        return next((each for each in found if isinstance(part, TextEncoder) and each[1].name == part.name), found[0])

    def _shared(self, recipe: Model | Clip, network: Network) -> Mapping[str, Tensor] | None:
        with self._lock:
            place = self._places.get(recipe)
        match place.value if place else None:
            case Unet(module=module):
                return module.state_dict()
            case Text(models=models):
                return next((m.module.state_dict() for m in models if m.encoder.network is network), None)
        return None

    def _get(
        self,
        recipe: Hashable,
        needed: int,
        build: Callable[[], Built],
        modules: Callable[[Built], Sequence[nn.Module]],
    ) -> Built:
        with self._lock:
            place = self._places.setdefault(recipe, _Place())
            place.last_use = next(self._uses)
        with place.building:
            if place.value is None:
                self._make_room(needed)
                place.value = self._built(recipe, build)
                place.modules = modules(place.value)
            built: Built = place.value
            return built

    def _built(self, recipe: Hashable, build: Callable[[], Built]) -> Built:
        try:
            return build()
        except BaseException:
            with self._lock:
                self._places.pop(recipe, None)
            raise

    def _make_room(self, needed: int) -> None:
        with self._lock:
            for key in victims(self._residents(), needed, self.budget_bytes):
                del self._places[key]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _residents(self) -> list[Resident]:
        return [
            Resident(key, _storages(place.modules), place.last_use)
            for key, place in self._places.items()
            if place.modules
        ]


def _networks(checkpoint: Checkpoint) -> list[Network]:
    return [network for kind, network in _parts(checkpoint) if network and kind != "a VAE"]


def _parts(checkpoint: Checkpoint) -> list[tuple[str, Network | None]]:
    text = [("a text encoder", encoder.network) for encoder in checkpoint.text]
    return [("a diffusion network", checkpoint.unet), ("a VAE", checkpoint.vae), *text]


def _storages(modules: Sequence[nn.Module]) -> dict[int, int]:
    """Return the storages of modules by address, with their bytes."""
    storages = [parameter.untyped_storage() for module in modules for parameter in module.parameters()]
    return {storage.data_ptr(): storage.nbytes() for storage in storages}
