"""``loomis cache``."""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from engine.errors import SettingError, StoreError
from engine.store import Store
from server.command import command
from server.commands.arguments import Json
from server.settings import GB, Options
from server.text import bytes_text, path_text, show_table

DAY = 86_400.0


class What(StrEnum):
    """What to do with the store."""

    info = "info"
    verify = "verify"
    clear = "clear"


@command
def cache(
    options: Options,
    what: Annotated[
        What, typer.Argument(help="Look at it, check every value, or forget.", show_default=True)
    ] = What.info,
    node_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="clear: only results of this node type.")
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="clear: only what was not used for so long."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at the remembered results, check them or forget them. Nothing but time is lost by forgetting.

    verify reads every value, drops the damaged ones and exits with 1 when there were any.

    Examples:
      loomis cache
      loomis cache clear --type KSampler --older-than 30
    """
    if what is not What.clear and (node_type, older_than) != (None, None):
        raise SettingError(
            f"--type and --older-than are for clear, not for {what}.",
            got=what,
            expected="loomis cache clear",
            hint="Leave them out, or clear.",
        )
    folder = options.data.absolute() / "store"
    sizes = int(options.memory_gb * GB), int(options.disk_gb * GB)
    with Store(folder, memory_bytes=sizes[0], disk_bytes=sizes[1], warn=refuse) as store:
        match what:
            case What.info:
                show_info(store, as_json)
            case What.verify:
                verify(store, as_json)
            case What.clear:
                seconds = None if older_than is None else older_than * DAY
                freed = store.clear(older_than=seconds, type=node_type)
                typer.echo(json.dumps({"freed": freed}) if as_json else f"Freed {bytes_text(freed)}.")


def refuse(why: str) -> NoReturn:
    """Fail where a run would go on without remembering."""
    raise StoreError(
        "The remembered results can't be reached.",
        got=why,
        expected="a folder that can be written",
        hint="Name another with --data, or make room.",
    )


def show_info(store: Store, as_json: bool) -> None:
    """Print what a store holds."""
    stats = store.stats()
    if as_json:
        typer.echo(json.dumps({"folder": str(store.folder)} | asdict(stats)))
        return
    if stats.types:
        rows = [(name, str(each.rows), str(each.values), bytes_text(each.nbytes)) for name, each in stats.types.items()]
        show_table(("node type", "results", "values", "size"), rows)
    where = path_text(store.folder) if store.folder else "memory"
    typer.echo(
        f"{stats.rows} results and {stats.values} values, "
        f"{bytes_text(stats.nbytes)} of {bytes_text(stats.limit)}, in {where}"
    )


def verify(store: Store, as_json: bool) -> None:
    """Check a store and print what was found; exit with 1 when something was dropped."""
    report = store.verify()
    if as_json:
        typer.echo(json.dumps(asdict(report) | {"clean": report.clean}))
    else:
        bad = len(report.damaged) + len(report.missing) + len(report.strays)
        found = f"{bad} were damaged or left over and are dropped" if bad else "all are sound"
        typer.echo(f"{report.checked} values ({bytes_text(report.nbytes)}) checked, {found}.")
    if not report.clean:
        raise typer.Exit(1)
