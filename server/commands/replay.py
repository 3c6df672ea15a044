"""``loomis replay``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from server.command import command
from server.commands.arguments import Json
from server.report import printable
from server.settings import Options
from server.text import seconds_text


@command
def replay(
    options: Options,
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture that carries its workflow.")],
    within: Annotated[
        int, typer.Option(min=0, max=255, metavar="LEVELS", help="Grey levels that a value may be off.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Make a picture again from what it carries and say whether its pixels are the same.

    Nothing that is remembered is used. Device, precision and the rule of ancestral
    noise are those that the picture was made with, unless they are given. The exit
    code is 0 when the pixels are the same, else 1.

    Examples:
      loomis replay output/portrait_00001_.png
      loomis replay from-comfyui.png --within 1 --precision fp32
    """
    from server.replay import replay as made_again  # loads the engine

    found = made_again(picture, options)
    same = found.within(within)
    if as_json:
        typer.echo(json.dumps(asdict(found) | {"same": same}))
    else:
        for change in found.changed:
            typer.echo(printable(f"warning: {change}"), err=True)
        typer.echo(f"{_verdict(found.worst, found.share, same)} ({seconds_text(found.seconds)})")
        if found.worst is None:
            typer.echo(f"  {found.size[0]} x {found.size[1]} became {found.made_size[0]} x {found.made_size[1]}")
    if not same:
        raise typer.Exit(1)


def _verdict(worst: int | None, share: float | None, same: bool) -> str:
    if worst is None or share is None:
        return "different: the sizes differ"
    if worst == 0:
        return "the same pixels"
    how = f"{share:.1%} of the values differ, by at most {worst} grey level{'s' if worst > 1 else ''}"
    return f"the same within bounds: {how}" if same else f"different: {how}"
