"""``loomis batch``."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer
from typer.core import TyperCommand

from engine.errors import SettingError
from engine.model_map import ModelMap
from server.batch.asked import Asked
from server.command import command
from server.commands.arguments import File, ModelMapping, NearestModels, Only
from server.opening import open_engine
from server.report import show_remarks
from server.settings import Options, server_address
from server.signals import cancelled_by_ctrl_c
from server.text import path_text
from server.workflow import parse_model_map, parse_values, workflow_source

AXES = ("--grid", "--zip")


class TakesAxes(TyperCommand):
    """Lets several axes follow one ``--grid`` or ``--zip``: ``--grid seed=1..9 cfg=3,5``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with the option in front of every axis."""
        spread: list[str] = []
        option = ""
        for arg in args:
            if arg in AXES:
                option = arg
                spread.append(arg)
            elif spread[-1:] == [option] and option:
                spread.append(arg)
            elif option and "=" in arg and not arg.startswith("-"):
                spread += [option, arg]
            else:
                option = ""
                spread.append(arg)
        return super().parse_args(ctx, spread)


def _option(*names: str, help: str, metavar: str) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


Rows: TypeAlias = Annotated[
    str | None,
    _option(
        "--rows",
        metavar="FILE",
        help="Rows of values: a .csv with names in its first line, a .jsonl, a folder of pictures, or - for JSON lines"
        " on standard input.",
    ),
]
Grid: TypeAlias = Annotated[
    list[str] | None, _option("--grid", metavar="NAME=VALUES ...", help="Axes of which every combination runs.")
]
Zip: TypeAlias = Annotated[
    list[str] | None, _option("--zip", metavar="NAME=VALUES ...", help="Axes that move together.")
]
Same: TypeAlias = Annotated[
    list[str] | None, _option("--set", metavar="NAME=VALUE", help="A value for all rows. May be repeated.")
]
Count: TypeAlias = Annotated[int, typer.Option("--count", min=1, help="Run each row so many times.")]
Seed: TypeAlias = Annotated[
    int, typer.Option("--seed", min=0, help="Decides what the file leaves to chance: {red|blue}, random seeds.")
]
Together: TypeAlias = Annotated[
    int, typer.Option("--batch-seeds", min=1, metavar="N", help="Sample up to N rows at once that differ only by seed.")
]
Out: TypeAlias = Annotated[
    str | None,
    _option(
        "--out",
        metavar="PATTERN",
        help="Where files go: 'dir/{row}-{seed}.png'. Default: a folder with the workflow's name in ./output",
    ),
]
ManifestFile: TypeAlias = Annotated[
    Path | None, _option("--manifest", metavar="FILE", help="Default: manifest.jsonl in the folder of --out.")
]
Sheet: TypeAlias = Annotated[
    Path | None, _option("--sheet", metavar="FILE", help="Draw a contact sheet with labels, too.")
]
JsonRows: TypeAlias = Annotated[
    bool, typer.Option("--json", metavar="", help="Print one JSON object a row, then the counts.")
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", metavar="", help="Print nothing but the paths of the files.")
]


Server: TypeAlias = Annotated[
    str | None,
    _option(
        "--server",
        metavar="URL",
        help="Have a server run it and watch it. --out is below its output folder, pictures are in its input folder.",
    ),
]


@command
def batch(
    options: Options,
    file: File,
    rows: Rows = None,
    grid: Grid = None,
    zipped: Zip = None,
    values: Same = None,
    count: Count = 1,
    seed: Seed = 0,
    together: Together = 1,
    out: Out = None,
    manifest: ManifestFile = None,
    sheet: Sheet = None,
    only: Only = None,
    model_map: ModelMapping = None,
    nearest_models: NearestModels = False,
    as_json: JsonRows = False,
    quiet: Quiet = False,
    server: Server = None,
) -> None:
    """Run a workflow for many rows of values.

    Names are those of --set. VALUES are 1,2,3 or 1..100 or 0..1..0.25 or @FILE (a
    value a line) or, for pictures, a pattern such as 'photos/*.png'. A manifest
    notes each row; after a kill the same command does only the rows that are left.
    A row that fails is told with its number, the rest goes on, and the exit code is
    1 in the end. docs/batch.md says more.

    Examples:
      loomis batch workflows/portrait.json --grid seed=1..4 steps=4,8 --out 'faces/{seed}-{steps}.png'
      loomis batch workflows/portrait.json --rows prompts.csv --sheet sheet.png
      loomis batch workflows/portrait.json --grid seed=1..9 --server http://127.0.0.1:8188
    """
    asked = Asked(
        file=file,
        rows=rows,
        grid=grid or (),
        zipped=zipped or (),
        values=parse_values(values or ()),
        count=count,
        seed=seed,
        together=together,
        out=out,
        targets=only or None,
        manifest=manifest,
        sheet=sheet,
        models=parse_model_map(model_map, nearest_models),
    )
    if server:
        from server.client.batching import send_batch  # other commands don't load what a batch needs

        _check_for_server(asked)
        done = send_batch(options.model_copy(update={"server": server_address(server)}), asked, as_json, quiet)
    else:
        done = _run_here(options, asked, as_json, quiet)
    if not done:
        raise typer.Exit(1)


def _run_here(options: Options, asked: Asked, as_json: bool, quiet: bool) -> bool:
    """Run a batch in this process and tell it; return whether all rows were done."""
    from server.batch.axes import parse_axis
    from server.batch.manifest import Manifest
    from server.batch.names import Names
    from server.batch.pictures import Pictures
    from server.batch.request import Request, compose, find_rows
    from server.batch.runner import run_batch
    from server.batch.telling import RowTeller

    names = Names.parse(asked.out or str(options.out / f"{Path(asked.file).stem}-batch"))
    zipped, grid = ([parse_axis(text) for text in each] for each in (asked.zipped, asked.grid))
    with open_engine(options) as engine, cancelled_by_ctrl_c() as cancel:
        read = engine.load(workflow_source(asked.file), seed=asked.seed)
        loaded = asked.models.apply(read, engine.registry, engine.folders)
        show_remarks(loaded.warnings)
        rows, base = find_rows(asked.rows, engine, loaded)
        request = Request(
            names, rows, zipped, grid, asked.values, asked.count, asked.seed, asked.together, asked.models
        )
        made = compose(engine, loaded, request, Pictures(engine.folders, base))
        place = asked.manifest or names.root / "manifest.jsonl"
        with Manifest(place, made.head(asked.file), names.advice()) as noted:
            with RowTeller(lambda name: path_text((names.root / name).absolute()), as_json, quiet) as teller:
                progress = run_batch(made, noted, on_row=teller, cancel=cancel, targets=asked.targets)
            if asked.sheet:
                from server.batch.sheet import draw_sheet

                draw_sheet(asked.sheet, noted.lines(len(made.rows)), names.root, request.columns)
    teller.finish(progress, path_text(asked.sheet.absolute()) if asked.sheet else None)
    return not progress.failed


def _check_for_server(asked: Asked) -> None:
    """See that what is asked of a server is what one does.

    Raises:
        SettingError: it isn't.
    """
    from server.batches.records import SHEET

    if asked.manifest or asked.models != ModelMap():
        raise SettingError(
            "A server keeps the manifest in the folder of the batch, and maps no models.",
            expected="--server without --manifest, --model-map and --nearest-models",
            hint="Leave them out.",
        )
    if asked.sheet and asked.sheet != Path(SHEET):
        raise SettingError(
            "A server draws the sheet in the folder of the batch.",
            got=f"--sheet {asked.sheet}",
            expected=f"--sheet {SHEET}",
            hint="Take it from there.",
        )
