"""What every command is told: folders, device, budgets.

A setting comes from the first of these that has it: a flag, an environment variable (``LOOMIS_DEVICE``), a settings
file (TOML, ``device = "cpu"``), the default.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_config_path, user_data_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from engine.errors import SettingError
from engine.folders import Folders
from engine.settings import Settings
from engine.spelling import meant, nearest
from nodes.machine import detect_device, has_bf16, runtime, torch_version
from server.model_paths import find_files, read_model_paths

GB = 2**30


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from None


def _with_scheme(address: str) -> str:
    return address if "://" in address else f"http://{address}"


Folder = Annotated[Path, AfterValidator(_at_home)]
Address = Annotated[str, Field(pattern=r"^(https?://[^/\s]+|[^/\s]+:\d+)/?$"), AfterValidator(_with_scheme)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], Field(max_length=100)]
Patience = Annotated[float, Field(ge=1, le=86400, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]


class Options(BaseModel):
    """Every setting with its default. The names are those of the settings file; sizes are in GiB.

    ``data`` holds the store of remembered results, ``custom_nodes`` are folders of node packs. ``memory_gb`` and
    ``disk_gb`` bound what is remembered, ``ram_gb`` and ``vram_gb`` what models and their work may take (0: a part
    of what there is). The rest is for ``loomis serve``: where it listens and who is let in, another frontend for
    browsers, how many jobs that ended are kept, how long a worker may not answer (one in which nothing moves, and
    one that is busy), how long a cancelled job may take to stop, and how long a job that runs may take to come to
    the end of a node when the server ends.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Folder, ...] = (Path("models"),)
    input: Folder = Path("input")
    out: Folder = Path("output")
    data: Folder = Field(default_factory=lambda: user_data_path("loomis", appauthor=False))
    extra_model_paths: Folder | None = None
    custom_nodes: tuple[Folder, ...] = ()
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    ancestral_noise: Literal["next-seed", "same-seed"] = "next-seed"
    compile: bool = False
    memory_gb: Size = 2
    disk_gb: Size = 20
    ram_gb: Size = 0
    vram_gb: Size = 0
    server: Address = "http://127.0.0.1:8188"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8188
    workers: Annotated[str, Field(pattern=r"^(auto|[1-9]\d?|(cpu|mps|cuda(:\d+)?)(,(cpu|mps|cuda(:\d+)?))*)$")] = "auto"
    history_jobs: Annotated[int, Field(ge=0)] = 10_000
    history_gb: Size = 1
    token_file: Folder | None = None
    allow_host: Names = ()
    allow_origin: Names = ()
    frontend: str | None = None
    log: Literal["auto", "human", "json"] = "auto"
    frozen_seconds: Patience = 30
    silent_seconds: Patience = 300
    grace_seconds: Seconds = 10
    park_seconds: Seconds = 20

    def folders(self, embedded: Path) -> Folders:
        """Return the folders as absolute paths; ``embedded`` is a models folder that comes last.

        Raises:
            SettingError: a file of extra model paths is wrong.
        """
        models = tuple(root.absolute() for root in self.models)
        given = self.extra_model_paths
        return Folders(
            models=(*models, embedded),
            input=self.input.absolute(),
            output=self.out.absolute(),
            temp=self.data.absolute() / "temp",
            extra=read_model_paths([given] if given else find_files(models), models),
        )

    def settings(self) -> Settings:
        """Return what nodes are told, with ``auto`` replaced by the device that was found."""
        torch = torch_version()
        device = detect_device(torch) if self.device == "auto" else self.device
        return Settings(
            device=device,
            precision=self.precision,
            ancestral_noise=self.ancestral_noise,
            runtime=runtime(torch),
            bf16=has_bf16(device),
            ram=int(self.ram_gb * GB),
            vram=int(self.vram_gb * GB),
            compile=self.compile,
        )


PATHS = frozenset({"models", "input", "out", "data", "extra_model_paths", "custom_nodes", "token_file"})
FOLDERS = frozenset({"models", "input"})
"""Folders to read from: where a command uses them and they are named, they have to be there."""

LISTS = {"models": os.pathsep, "custom_nodes": os.pathsep, "allow_host": ",", "allow_origin": ","}
"""What divides the items of a list in an environment variable."""

EXPECTED = {
    "device": "auto, cpu, cuda, cuda:1 or mps",
    "precision": "auto, fp32, bf16 or fp16",
    "ancestral_noise": "next-seed or same-seed",
    "compile": "true or false",
    "models": "a list of folders",
    "custom_nodes": "a list of folders",
    "server": "an address such as http://127.0.0.1:8188 or localhost:8188",
    "host": "an address of this machine",
    "port": "a number from 0 to 65535",
    "workers": "auto, a number, or devices such as cuda:0,cuda:1",
    "history_jobs": "a number, such as 10000",
    "allow_host": "a list of names, such as example.org",
    "allow_origin": "a list of origins, such as https://example.org",
    "frontend": "a folder, or the name of an installed package",
    "log": "auto, human or json",
}
EXPECTED |= dict.fromkeys(
    ("memory_gb", "disk_gb", "ram_gb", "vram_gb", "history_gb"), "a size in GiB, such as 8 or 0.5"
)
EXPECTED |= dict.fromkeys(("grace_seconds", "park_seconds"), "seconds, such as 10")
EXPECTED |= dict.fromkeys(("frozen_seconds", "silent_seconds"), "seconds, at least 1")


def read_options(flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Options:
    """Return the settings in force. ``flags`` are those that a command has, by name, and ``settings`` for the file.

    Raises:
        SettingError: a value can't be used, a name is unknown, a folder to read from is not there or the settings file
            can't be read.
    """
    given = {name: value for name, value in flags.items() if value not in (None, [], "")}
    sources = {
        name: (value, "--" + name.removesuffix("_gb").replace("_", "-"))
        for name, value in given.items()
        if name != "settings"
    }
    for name in Options.model_fields:
        if text := environ.get(f"LOOMIS_{name.upper()}"):
            value = [part for part in text.split(LISTS[name]) if part] if name in LISTS else text
            sources.setdefault(name, (value, f"LOOMIS_{name.upper()}"))
    for name, found in _file(given.get("settings") or environ.get("LOOMIS_SETTINGS")).items():
        sources.setdefault(name, found)
    options = _checked(sources)
    for name in FOLDERS & flags.keys() & sources.keys():
        _check_there(getattr(options, name), sources[name][1])
    return options


def _checked(sources: Mapping[str, tuple[Any, str]]) -> Options:
    try:
        return Options(**{name: value for name, (value, _) in sources.items()})
    except ValidationError as error:
        issue = error.errors(include_url=False)[0]
        name = str(issue["loc"][0])
        raise SettingError(
            f"{sources[name][1]} can't be {sources[name][0]!r}.",
            got=sources[name][0],
            expected=EXPECTED.get(name, "a path"),
            hint="Correct it, or leave it out to use the default.",
        ) from None


def server_address(text: str) -> str:
    """Return what ``--server`` means where a command has it beside the settings.

    Raises:
        SettingError: it is no address.
    """
    return _checked({"server": (text, "--server")}).server


def _check_there(folders: Path | tuple[Path, ...], option: str) -> None:
    """See that folders are there that somebody named.

    Raises:
        SettingError: one isn't.
    """
    for folder in folders if isinstance(folders, tuple) else (folders,):
        if not folder.is_dir():
            raise SettingError(
                f"{option}: there is no folder {folder}.",
                got=str(folder),
                expected="a folder that is there",
                hint=meant(folder, "Check the path, or make the folder."),
            )


def _file(chosen: str | Path | None) -> dict[str, tuple[Any, str]]:
    """Return the settings of a file with the place of each. The user's own file may be missing."""
    path = Path(chosen).expanduser() if chosen else user_config_path("loomis", appauthor=False) / "settings.toml"
    if not chosen and not path.is_file():
        return {}
    for name in (content := _toml(path)):
        if name not in Options.model_fields:
            near = nearest(name, Options.model_fields)
            raise SettingError(
                f"{path}: there is no setting {name!r}.",
                got=name,
                expected=near or ", ".join(Options.model_fields),
                hint=f"Did you mean {near}?" if near else "Use one of these names.",
            )
    return {name: (_below(path, name, value), f"{path}: {name}") for name, value in content.items()}


def _below(file: Path, name: str, value: Any) -> Any:
    """Return a setting of a file; relative paths start at the file's own folder."""
    if name not in PATHS or not isinstance(value, str | list):
        return value
    if name in ("models", "custom_nodes") and isinstance(value, str):
        value = [value]
    if isinstance(value, list):
        return [_below(file, "input", part) for part in value]
    return value if value.startswith("~") else file.absolute().parent / value


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(
            f"The settings file {path} can't be read: {error.strerror}.",
            got=str(path),
            expected="a TOML file",
            hint=meant(path),
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The settings file {path} is not TOML: {error}.",
            got=str(path),
            expected='lines such as device = "cpu"',
            hint="Correct it.",
        ) from None
