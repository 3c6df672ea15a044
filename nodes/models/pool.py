"""The model pool: the only owner of weights. Recipes go in, ready modules come out."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

from engine.context import Usage
from engine.errors import ModelError
from nodes.models import control_files, control_lora, families, lora
from nodes.models import hypernetwork as hypernetworks
from nodes.models.adapter import Adapter
from nodes.models.assemble import Source, filled
from nodes.models.compiled import compiled
from nodes.models.controlnet import Controlnet
from nodes.models.families import clip_vision, controlnet, controlnet_union, t2i_adapter
from nodes.models.families.checkpoint import Checkpoint, Network, TextEncoder, TextFamily
from nodes.models.hooks import gligen
from nodes.models.image_encoder import ImageEncoder, image_encoder
from nodes.models.patch import Changing, Mixing, Patch, Rounding, Scaling, mixing, untouched
from nodes.models.placement import Sizes, needed_bytes, placed, sizes
from nodes.models.precision import Casts, Precision, policy
from nodes.models.residents import Parts, Residents
from nodes.models.style import StyleAdapter, style_adapter
from nodes.models.t5 import padded, text_model
from nodes.models.text import Text, embedding
from nodes.models.unet import Unet
from nodes.models.upscaler import Upscaler, build_upscaler
from nodes.models.upscaler import check as check_upscaler
from nodes.models.vae import Autoencoder
from nodes.models.weights import TRAINED, Weights, in_memory, open_weights
from nodes.models.working import unet_bytes
from nodes.recipes import (
    Clip,
    ClipVision,
    Compiled,
    ControlNet,
    FileRef,
    ForeignPatch,
    Gligen,
    LoraModel,
    LoraPatch,
    Merge,
    Model,
    Padding,
    Rounded,
    Scaled,
    StyleModel,
    Trained,
    UpscaleModel,
    Vae,
    WeightPatch,
)

Recipe = Model | Clip | Vae | ControlNet | tuple[ControlNet, Model]


class Pool:
    """Builds modules from recipes and keeps those used last, up to a budget of bytes.

    ``device`` is as torch names it; ``host_bytes`` bounds what is put aside of that which leaves it, 0 where it is the
    host. ``locate`` finds the file of a reference and raises FileError where it is gone; ``trained`` finds the value of
    a LoRA that was trained. With ``compiled`` diffusion networks are compiled, unless they come in blocks.
    Safe to use from several threads. What a caller holds stays valid after it is evicted; what it gets within
    ``residents.together`` is not evicted. Methods raise FileError or ModelError where a file is not as a recipe has it.
    """

    def __init__(
        self,
        device: str,
        precision: Precision,
        budget_bytes: int,
        locate: Callable[[FileRef], Path],
        host_bytes: int = 0,
        *,
        bf16: bool = True,
        compiled: bool = False,
        trained: Callable[[Trained], LoraModel] | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.policy = policy(precision, self.device.type, bf16)
        self.residents = Residents(self.device, budget_bytes, host_bytes)
        self._locate = locate
        self._compiled = compiled
        self._trained = trained
        self._files: dict[FileRef, tuple[Weights, Checkpoint | None]] = {}
        self._sizes: dict[Hashable, Sizes] = {}
        self._lock = Lock()

    def weights(self, file: FileRef | Trained) -> Weights:
        """Return the opened file of a reference. What was trained is not kept here."""
        if isinstance(file, Trained):
            assert self._trained, "this pool knows of no values"
            return in_memory(TRAINED, self._trained(file).tensors)
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

    def unet(self, model: Model, working: int = 0, streamed: bool = False) -> Unet:
        """Return the diffusion network of a recipe, patched. Of its options only ``Compiled`` changes something here.

        Where it does not fit beside ``working`` bytes, or shall be ``streamed``, its blocks come when they are called.
        """
        model = kept(model)
        chosen = model.option(Compiled)
        backend = chosen.backend if chosen else "inductor" if self._compiled else None
        checkpoint, network = self.checkpoint(model.file), self.network(model)
        return placed(
            self.residents,
            model,
            lambda: self.sizes(model),
            needed_bytes(self._sized(model, model.file, network)),
            lambda: self._source(model, model.file, network),
            lambda module, stream: Unet(
                compiled(module, backend) if backend and not stream else module,
                checkpoint.prediction,
                checkpoint.latent,
                network,
                self.casts(model, network)[-1],
                stream,
            ),
            working,
            streamed,
        )

    def working(self, model: Model, batch: int, cells: int) -> int:
        """Return the bytes that a diffusion network needs at work on ``batch`` latents of ``cells`` cells."""
        network = self.network(model)
        itemsize = self.casts(model, network)[-1].itemsize
        return (network.working or unet_bytes)(network.config, batch, cells, itemsize)

    def least(self, model: Model) -> int:
        """Return the bytes that a diffusion network takes at least, when all its blocks come and go."""
        return self.sizes(model).least

    def sizes(self, model: Model) -> Sizes:
        """Return the bytes of a diffusion network as it comes in blocks. Reads headers only."""
        return self._parts_of(model, model.file, self.network(model), self.weights(model.file))

    def text(self, clip: Clip) -> Text:
        """Return the text encoders of a recipe, patched. ``clip.layer`` is an argument of ``encode``."""
        encoders, recipe = self.encoders(clip), replace(clip, layer=None, options=())

        def build() -> Text:
            sources = [self._source(recipe, file, each, place) for place, (file, each) in enumerate(encoders)]
            models = [text_model(each, filled(src)) for (_, each), src in zip(encoders, sources, strict=True)]
            return Text(tuple(models), self.text_family(clip))

        text = self.residents.get(
            recipe,
            sum(needed_bytes(self._sized(recipe, *each)) for each in encoders),
            build,
            lambda text: Parts([model.module for model in text.models]),
        )
        return replace(text, models=tuple(padded(model, clip.option(Padding)) for model in text.models))

    def encoders(self, clip: Clip) -> tuple[tuple[FileRef, TextEncoder], ...]:
        """Return the text encoders of a recipe, each with its file. Reads headers only.

        Raises ModelError where there is none, or they are not those of the family that the recipe names.
        """
        found = [(file, encoder) for file in clip.files for encoder in self.checkpoint(file).text]
        if clip.family is None:
            self._part(clip.file, found[0][1].network if found else None, "text encoder")
            return tuple(found)
        return families.chosen(clip.family, found, [self.weights(file).path.name for file in clip.files])

    def text_family(self, clip: Clip) -> TextFamily | None:
        """Return how the outputs of the text encoders of a recipe are joined; None where that is side by side."""
        return families.TEXTS.get(clip.family or self.checkpoint(clip.file).family)

    def vae(self, vae: Vae) -> Autoencoder:
        """Return the image autoencoder of a recipe."""
        checkpoint, network = self.checkpoint(vae.file), self.vae_network(vae)
        return self.residents.get(
            vae,
            needed_bytes(self._sized(vae, vae.file, network)),
            lambda: Autoencoder(filled(self._source(vae, vae.file, network)), checkpoint.latent),
            lambda autoencoder: Parts([autoencoder.module]),
        )

    def vae_network(self, vae: Vae) -> Network:
        """Return the image autoencoder of a recipe. Reads its header only. Raises ModelError where there is none."""
        return self._part(vae.file, self.checkpoint(vae.file).vae, "VAE")

    def controlnet(self, net: ControlNet, model: Model) -> Controlnet | Adapter:
        """Return what steers a model: a ControlNet, in blocks as a UNet where it does not fit, or a T2I-Adapter."""
        if net.type is not None:
            found = self.controlnet(replace(net, type=None), model)
            return replace(found, type=net.type) if isinstance(found, Controlnet) else found
        weights, network = control_files.opened(self, net, model)
        is_of_model = control_lora.is_one(self.weights(net.file))
        recipe = (net, replace(model, options=())) if is_of_model else net
        needed = needed_bytes(replace(self._sized(recipe, net.file, network), weights=weights))

        def source() -> Source:
            return replace(self._source(recipe, net.file, network), weights=weights)

        if network.build is t2i_adapter.build:
            return self.residents.get(recipe, needed, lambda: Adapter(filled(source())), lambda it: Parts([it.module]))
        return placed(
            self.residents,
            recipe,
            lambda: self._parts_of(recipe, net.file, network, weights),
            needed,
            source,
            lambda module, stream: Controlnet(
                module, controlnet.factor(network), stream, network.build is controlnet_union.build
            ),
        )

    def check_upscaler(self, model: UpscaleModel) -> None:
        """Raise ModelError where a file is no upscaler that is known. Reads names and shapes only."""
        check_upscaler(self.weights(model.file))

    def upscaler(self, model: UpscaleModel) -> Upscaler:
        """Return the upscaler of a recipe, in float32."""
        weights = self.weights(model.file)
        needed = sum(info.numbers * 4 for info in weights.infos.values())
        build = partial(build_upscaler, weights, self.device)
        return self.residents.get(model, needed, build, lambda found: Parts([found.module]))

    def image_encoder(self, recipe: ClipVision) -> ImageEncoder:
        """Return an image encoder, in float32."""
        weights = self.weights(recipe.file)
        network = clip_vision.detect(weights)
        needed = sum(prod(network.shape(weights, name)) for name in network.keys) * 4
        build = partial(image_encoder, weights, network, self.device)
        return self.residents.get(recipe, needed, build, lambda found: Parts([found.module]))

    def style_model(self, recipe: StyleModel) -> StyleAdapter:
        """Return a style model, in float32."""
        weights = self.weights(recipe.file)
        needed = sum(info.numbers * 4 for info in weights.infos.values())
        return self.residents.get(
            recipe, needed, partial(style_adapter, weights, self.device), lambda found: Parts([found])
        )

    def grounding_width(self, recipe: Gligen) -> int:
        """Return the width of the texts that a GLIGEN model takes. Reads its header only."""
        return gligen.text_width(self.weights(recipe.file))

    def grounding(self, recipe: Gligen) -> gligen.Grounding:
        """Return a GLIGEN model, in the dtype of the diffusion network."""
        weights, dtype = self.weights(recipe.file), self.policy.unet[-1]
        needed = sum(info.numbers * dtype.itemsize for info in weights.infos.values())
        build = partial(gligen.grounding, weights, self.device, dtype)
        return self.residents.get(recipe, needed, build, lambda found: Parts(found.modules))

    def hypernetwork(self, file: FileRef) -> hypernetworks.Nets:
        """Return a hypernetwork, in the dtype of the diffusion network."""
        weights, dtype = self.weights(file), self.policy.unet[-1]
        needed = sum(info.numbers * dtype.itemsize for info in weights.infos.values())
        build = partial(hypernetworks.hypernetwork, weights, self.device, dtype)
        return self.residents.get(file, needed, build, lambda nets: Parts(nets.modules))

    def check_hypernetwork(self, file: FileRef, model: Model) -> None:
        """Raise ModelError where a file is no hypernetwork, or one for another family. Reads headers only."""
        hypernetworks.fit(self.weights(file), self.weights(model.file), self.network(model))

    def embedding(self, file: FileRef) -> tuple[Tensor, ...]:
        """Return the tables (rows, width) of a textual inversion, one for each encoder, float32, on the CPU."""
        return embedding(self.weights(file))

    def unused(self, weights: Weights, files: Sequence[FileRef]) -> tuple[str, ...]:
        """Return the tensors of a LoRA that change none of the networks of the files. Reads headers only.

        Raises ModelError where it changes nothing, or is made for another family.
        """
        parts = [(self.weights(file), network) for file in files for network in self.checkpoint(file).patchable]
        return lora.check(weights, parts)

    def usage(self) -> Usage:
        """Return what modules take of the device; of a GPU also what it has, and what torch keeps of it for later."""
        if self.device.type != "cuda":
            return Usage(reserved=self.residents.held_bytes, used=self.residents.held_bytes)
        free, total = torch.cuda.mem_get_info(self.device)
        return Usage(total, free, torch.cuda.memory_reserved(self.device), torch.cuda.memory_allocated(self.device))

    def drop(self) -> None:
        """Forget every module and every opened file."""
        self.residents.drop()
        with self._lock:
            self._files.clear()

    def _part(self, file: FileRef, network: Network | None, name: str) -> Network:
        if network is None:
            holds = [kind for kind, _ in self.checkpoint(file).parts]
            path = self.weights(file).path
            raise ModelError(f"{path.name} holds no {name}", got=", ".join(holds), expected=f"a file with a {name}")
        return network

    def _parts_of(self, recipe: Recipe, file: FileRef, network: Network, weights: Weights) -> Sizes:
        key = file, recipe.patches if isinstance(recipe, Model) and network.keeps else ()
        if key not in self._sizes:
            self._sizes[key] = sizes(replace(self._sized(recipe, file, network), weights=weights))
        return self._sizes[key]

    def _sized(self, recipe: Recipe, file: FileRef, part: Network | TextEncoder) -> Source:
        """Return a source that tells sizes. Patches count where a patched matrix may be wider than in its file."""
        network = part if isinstance(part, Network) else part.network
        patches = self.patches(recipe, file, part) if isinstance(recipe, Model | Clip) and network.keeps else ()
        return Source(network, self.weights(file), self.device, self.casts(recipe, network), patches)

    def _source(self, recipe: Recipe, file: FileRef, part: Network | TextEncoder, place: int = 0) -> Source:
        """Return where the tensors of a part come from, under the patches of its recipe.

        What was put aside, or is in memory without patches, is taken from there.
        """
        network = part if isinstance(part, Network) else part.network
        plain = Source(network, self.weights(file), self.device, self.casts(recipe, network))
        if aside := self.residents.aside(recipe):
            return replace(plain, shared=aside[place])
        if not isinstance(recipe, Model | Clip) or not recipe.patches:
            return plain
        patches = self.patches(recipe, file, part)
        shared = untouched(self._shared(replace(recipe, patches=()), network), patches)
        return replace(plain, patches=patches, shared=shared)

    def casts(self, recipe: Recipe, network: Network) -> Casts:
        """Return the dtypes that the weights of a network are cast to."""
        if network.keeps:
            return self.policy.t5 if isinstance(recipe, Clip) else self.policy.transformer
        return {Vae: self.policy.vae, Clip: self.policy.text}.get(type(recipe), self.policy.unet)

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
            case Scaled():
                return Scaling(patch.factors)
            case ForeignPatch():
                named = part.name if isinstance(part, TextEncoder) else ""
                found = {name: patch.changes.get((named, base[1].originals.get(name, name))) for name in base[1].keys}
                return Changing({name: changes for name, changes in found.items() if changes})
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

    def _shared(self, recipe: Model | Clip, network: Network) -> Mapping[str, Tensor]:
        match self.residents.peek(recipe):
            case Unet(module=module, stream=None):
                return module.state_dict()
            case Text(models=models):
                return next((m.module.state_dict() for m in models if m.encoder.network is network), {})
        return {}


def kept(model: Model) -> Model:
    """Return a recipe with those options that make another network of it: what the pool keeps it by."""
    chosen = model.option(Compiled)
    return replace(model, options=(chosen,) if chosen else ())
