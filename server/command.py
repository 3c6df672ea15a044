"""What all commands have in common: the shared options, and errors without a traceback."""

import inspect
import os
import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import Cancelled, LoomisError
from server.report import exit_code, report
from server.settings import read_options

TRACEBACK = "LOOMIS_TRACEBACK"
"""The environment variable that adds tracebacks to errors, for those who look for the cause."""

PANEL = "Folders and device (every command)"


def _shared(*names: str, help: str, metavar: str) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=PANEL, show_default=False)


SHARED: dict[str, Any] = {
    "models": Annotated[
        list[Path] | None,
        _shared(
            "--models",
            metavar="DIR",
            help="Models: checkpoints/ loras/ vae/ ...; may be repeated. Default: ./models (env LOOMIS_MODELS)",
        ),
    ],
    "input": Annotated[
        Path | None, _shared("--input", metavar="DIR", help="Pictures to load. Default: ./input (env LOOMIS_INPUT)")
    ],
    "out": Annotated[
        Path | None, _shared("--out", metavar="DIR", help="Where files are saved. Default: ./output (env LOOMIS_OUT)")
    ],
    "data": Annotated[
        Path | None,
        _shared("--data", metavar="DIR", help="Remembered results. Default: the user data folder (env LOOMIS_DATA)"),
    ],
    "custom_nodes": Annotated[
        list[Path] | None,
        _shared(
            "--custom-nodes",
            metavar="DIR",
            help="Node packs made for ComfyUI, a folder for each in DIR; may be repeated. Their code is executed. "
            "Default: none (env LOOMIS_CUSTOM_NODES)",
        ),
    ],
    "device": Annotated[
        str | None,
        _shared("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps. Default: auto (env LOOMIS_DEVICE)"),
    ],
    "precision": Annotated[
        str | None,
        _shared("--precision", metavar="NAME", help="auto, fp32, bf16 or fp16. Default: auto (env LOOMIS_PRECISION)"),
    ],
    "compile": Annotated[
        bool | None,
        _shared(
            "--compile/--no-compile",
            metavar="",
            help="Compile diffusion networks: the first step at each size takes minutes more, the others less; needs a "
            "C++ compiler. Default: no (env LOOMIS_COMPILE)",
        ),
    ],
    "ram_gb": Annotated[
        float | None,
        _shared(
            "--ram",
            metavar="GIB",
            help="Memory for models and their work. Default: three quarters of what there is; with a GPU half of it, "
            "for models that leave the GPU (env LOOMIS_RAM_GB)",
        ),
    ],
    "vram_gb": Annotated[
        float | None,
        _shared(
            "--vram",
            metavar="GIB",
            help="GPU memory for models and their work. Default: nine tenths of the GPU's (env LOOMIS_VRAM_GB)",
        ),
    ],
    "settings": Annotated[
        Path | None,
        _shared(
            "--settings",
            metavar="FILE",
            help="Settings as TOML. Default: settings.toml in the user's loomis folder (env LOOMIS_SETTINGS)",
        ),
    ],
    "extra_model_paths": Annotated[
        Path | None,
        _shared(
            "--extra-model-paths",
            metavar="FILE",
            help="Default: extra_model_paths.yaml here or beside the models (env LOOMIS_EXTRA_MODEL_PATHS)",
        ),
    ],
}


def command(function: Callable[..., None], settings: Mapping[str, Any] = SHARED) -> Callable[..., None]:
    """Make a command of a function whose first parameter is ``options`` and whose ``as_json`` may be a flag.

    The command gets an option for each of the ``settings`` besides its own; of two with one name, its own. A
    LoomisError becomes one block and an exit code.
    """

    own = list(inspect.signature(function).parameters.values())[1:]
    shared = {name: hint for name, hint in settings.items() if name not in {parameter.name for parameter in own}}

    @wraps(function)
    def run(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in shared}
        try:
            function(read_options(chosen), **given)
        except (typer.Exit, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if TRACEBACK in os.environ:
                traceback.print_exception(error)
            told = _told(error)
            report(told, given.get("as_json", False))
            raise typer.Exit(exit_code(told)) from None

    kind = inspect.Parameter.KEYWORD_ONLY
    more = [inspect.Parameter(name, kind, default=None, annotation=hint) for name, hint in shared.items()]
    run.__signature__ = inspect.Signature([*(p.replace(kind=kind) for p in own), *more])  # type: ignore[attr-defined]
    return run


def _told(error: BaseException) -> LoomisError:
    if isinstance(error, LoomisError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Cancelled("Cancelled.")
    return LoomisError(
        f"Loomis made a mistake: {type(error).__name__}: {error}",
        hint=f"Set {TRACEBACK}=1, run it again and report what it prints.",
    )
