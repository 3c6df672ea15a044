"""Node types that exist only in the editor. They shape the graph and never run."""

from enum import Enum


class Kind(Enum):
    """How a value passes through a node."""

    REAL = "real"
    PASS = "pass"  # output n is whatever feeds input n
    VALUE = "value"  # its first widget is the value of everything it feeds
    SET = "set"  # gives its input a name
    GET = "get"  # gives what the SET of the same name was given
    SILENT = "silent"  # has no part in the graph


PASSING = ("Reroute", "Reroute (rgthree)")
VALUES = ("PrimitiveNode",)
SETTERS = ("SetNode", "easy setNode")
GETTERS = ("GetNode", "easy getNode")

BROADCASTERS = ("Anything Everywhere", "Anything Everywhere?", "Anything Everywhere3", "Prompts Everywhere")

NOTES = ("Note", "MarkdownNote", "Note Plus (mtb)", "Label (rgthree)", "Bookmark (rgthree)", "Bookmark")
PANELS = (
    "Fast Groups Bypasser (rgthree)",
    "Fast Groups Muter (rgthree)",
    "Fast Bypasser (rgthree)",
    "Fast Muter (rgthree)",
    "Fast Actions Button (rgthree)",
    "Mute / Bypass Relay (rgthree)",
    "Mute / Bypass Repeater (rgthree)",
    "Node Collector (rgthree)",
    "Node Combiner (rgthree)",
    "Random Unmuter (rgthree)",
)

KINDS: dict[str, Kind] = {
    **dict.fromkeys(PASSING, Kind.PASS),
    **dict.fromkeys(VALUES, Kind.VALUE),
    **dict.fromkeys(SETTERS, Kind.SET),
    **dict.fromkeys(GETTERS, Kind.GET),
    **dict.fromkeys((*BROADCASTERS, *NOTES, *PANELS), Kind.SILENT),
}


def kind_of(type_name: str) -> Kind:
    return KINDS.get(type_name, Kind.REAL)
