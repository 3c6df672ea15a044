"""Make a picture again from what it carries, with nothing remembered, and compare the pixels."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import nodes
from engine import Engine, Settings
from engine.errors import FileError, WorkflowError
from engine.events import Event
from engine.formats import Catalogue, Loaded, load
from engine.object_info import SpecClasses
from engine.provenance import Provenance, made_of, versions
from server.opening import vocabulary
from server.settings import Options

SETTINGS = frozenset({"device", "precision", "ancestral_noise", "compile"})
"""What a replay takes from the picture."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay. ``worst`` is the largest difference of a colour value in grey levels (0 to 255), ``share``
    how many of the values differ at all; both are None where the sizes differ. ``changed`` says what is not as it was.
    """

    size: tuple[int, int]
    made_size: tuple[int, int]
    worst: int | None
    share: float | None
    changed: tuple[str, ...]
    seconds: float

    def within(self, levels: int) -> bool:
        """Whether no value differs by more than so many grey levels."""
        return self.worst is not None and self.worst <= levels


def replay(path: Path, options: Options, on_event: Callable[[Event], None] = lambda event: None) -> Replayed:
    """Run the workflow of a picture again. Settings that are not given are those that it was made with.

    Raises:
        WorkflowError: the picture carries no workflow, or it makes no picture.
        LoomisError: what a run raises.
    """
    registry = vocabulary(options)
    loaded = load(path, Catalogue(SpecClasses(registry.specs)))
    made = made_of(loaded)
    settings = recorded_settings(options, made)
    with tempfile.TemporaryDirectory() as folder:
        folders = replace(options.folders(nodes.EMBEDDED), temp=Path(folder) / "temp")
        with Engine(registry, folders=folders, settings=settings) as engine:
            node = made.get("node")
            result = engine.run(
                loaded.prompt, targets=[node] if node in loaded.prompt else None,
                output=Path(folder), on_event=on_event,
            )  # fmt: skip
            files = [Path(file["path"]) for shown in result.outputs.values() for file in shown.files]
            changed = tuple(_changed(made, engine, loaded))
        pictures = [file for file in files if file.suffix == ".png"]
        if not pictures:
            raise WorkflowError(
                f"The workflow in {path.name} makes no picture.",
                got=[file.name for file in files],
                expected="an output node that saves PNG files",
                hint="Only pictures can be compared.",
            )
        return _closest(path, pictures, changed, result.seconds)


def recorded_settings(options: Options, made: Mapping[str, Any]) -> Settings:
    """Return the settings of a replay: those that are given, else those of the file where they work here."""
    recorded = {name: value for name, value in made.get("settings", {}).items() if name in SETTINGS}
    here = options.settings().device
    if recorded.get("device", "cpu").partition(":")[0] not in ("cpu", here.partition(":")[0]):
        del recorded["device"]
    try:
        return Options(**(recorded | options.model_dump(exclude_unset=True))).settings()
    except ValidationError:
        return options.settings()


def _changed(made: Mapping[str, Any], engine: Engine, loaded: Loaded) -> Iterable[str]:
    """Yield what is not as it was when the picture was made."""
    bound = engine.check(loaded.prompt)
    now = Provenance(bound.nodes, engine.folders, engine.store.files, engine.settings).of_file("", 0, b"")["made"]
    digests = {(file["kind"], file["name"]): file["blake3"] for file in now["files"]}
    for file in made.get("files", ()):
        if digests.get((file["kind"], file["name"]), file["blake3"]) != file["blake3"]:
            yield f"{file['kind']}/{file['name']} has another content"
    here = {**versions(engine.settings), **now["settings"]}
    for name, value in {**made.get("versions", {}), **made.get("settings", {})}.items():
        if here.get(name) != value:
            yield f"{name} was {value} and is {here.get(name)}"


def _closest(path: Path, pictures: Iterable[Path], changed: tuple[str, ...], seconds: float) -> Replayed:
    """Compare with each picture that was made; return the best."""
    import numpy
    from PIL import Image

    def pixels(file: Path) -> Any:
        try:
            with Image.open(file, formats=("PNG", "WEBP", "JPEG")) as image:
                return numpy.asarray(image.convert("RGBA"), dtype=int)
        except (OSError, SyntaxError, ValueError) as error:
            raise FileError(
                f"{file.name} is no picture that can be compared: {error}.",
                got=file.name,
                expected="PNG, WEBP or JPEG",
                hint="Use the file that Loomis saved.",
            ) from error

    expected = pixels(path)
    found = []
    for picture in pictures:
        got = pixels(picture)
        sizes = expected.shape[1::-1], got.shape[1::-1]
        if sizes[0] != sizes[1]:
            found.append(Replayed(*sizes, None, None, changed, seconds))
            continue
        apart = abs(expected - got)
        found.append(Replayed(*sizes, int(apart.max()), float((apart > 0).mean()), changed, seconds))
    return min(found, key=lambda each: (each.worst is None, each.worst, each.share))
