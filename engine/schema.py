"""What a node is, as data: inputs, outputs, and the marks that an annotation may carry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from engine.values import wire

R = TypeVar("R")
Resource = Literal["gpu", "cpu", "io"]
Choice: TypeAlias = str | int | float | bool
"""What may be chosen. Ours are texts; foreign nodes have others too."""

Token = Literal["UNIQUE_ID", "PROMPT", "EXTRA_PNGINFO", "DYNPROMPT"]
NO_DEFAULT: Any = object()


# What an annotation may add to a type.


@dataclass(frozen=True, slots=True)
class Files:
    """The input names a file in a models folder (``checkpoints``, ``loras``, ...). Its content is in the key.

    ``also`` are choices beside the files, which mean none of them.
    """

    folder: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InputFile:
    """The input names a file in the input folder; `` [output]`` or `` [temp]`` behind it names another folder."""

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")


@dataclass(frozen=True, slots=True)
class InputFolder:
    """The input names a folder below the input folder. The files below it with these suffixes are in the key."""

    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The input names a folder below a models folder that holds a model in parts, as diffusers saves it.

    The weights and the descriptions below it are in the key.
    """

    folder: str


@dataclass(frozen=True, slots=True)
class Mentions:
    """The input is a text that may name files of a models folder. Their content is in the key.

    ``pattern`` is a regular expression with one group: the name, with or without suffix.
    """

    folder: str
    pattern: str


@dataclass(frozen=True, slots=True)
class FilesBelow:
    """The input may name a file below one of these folders, with or without its suffix, or none.

    The content of each file that it names is in the key.
    """

    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lazy:
    """The input is made only when the node's ``lazy`` function names it."""


@dataclass(frozen=True, slots=True)
class OptionalInput:
    """The input may be left out; the function's default is used then."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """The parameter is filled by the engine and is no input. It is not part of the key unless ``in_key``.

    PROMPT is the workflow as it was given, DYNPROMPT all nodes of the run by id, those of expansions too.
    """

    token: Token
    in_key: bool = False


class Widget:
    """What an editor should know about an input (``multiline``, ``step``, ``tooltip``, ...), as it expects it."""

    def __init__(self, **options: Any) -> None:
        self.options = options


class Effort:
    """Says of a number that the node takes longer in proportion to it: steps of a sampler, say."""


FileChoices = Files | InputFile | InputFolder | ModelFolder
"""What the choices of an input are: files, or folders of them."""

FileSource = FileChoices | Mentions | FilesBelow


# What a function may return besides its outputs.


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that an output node made. The engine names and writes it, and adds the workflow to it.

    ``data`` is the encoded file without text chunks; ``prefix`` a path below the folder that may hold ``%width%``,
    ``%height%`` and ``%batch_num%`` besides the date; ``folder`` is ``output`` or ``temp``; ``kind`` is the list that
    clients find it in.
    """

    data: bytes
    prefix: str
    suffix: str = ".png"
    folder: Literal["output", "temp"] = "output"
    kind: str = "images"
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Shown(Generic[R]):
    """Outputs, and what a person gets to see: files to write and texts. ``-> Shown[None]`` has no outputs."""

    result: R
    files: tuple[Artifact, ...] = ()
    notes: Mapping[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkTo:
    """In an expansion: the output ``slot`` of the node ``node`` stands for a value."""

    node: str
    slot: int = 0


@dataclass(frozen=True, slots=True)
class Expanded(Generic[R]):
    """A graph (API format) that takes the node's place; ``result`` holds a value or a LinkTo per output.

    ``keeps`` is what must live as long as the run, for the graph's nodes refer to it.
    """

    graph: Mapping[str, Any]
    result: tuple[Any, ...]
    keeps: tuple[Any, ...] = ()


@wire("Block")
@dataclass(frozen=True, slots=True)
class Block:
    """Stops its consumers: they are not called and pass it on. A message is reported once as an error."""

    message: str | None = None


# The schema.


@dataclass(frozen=True, slots=True)
class Port:
    """One input. ``type`` is INT, FLOAT, STRING, BOOLEAN, COMBO or the name of a socket (``A,B`` for either).

    ``any_value`` says that any literal may stand in for a link, ``any_link`` that outputs of any type may be linked:
    foreign nodes judge these themselves. With ``raw`` they get the link itself, as ``[id, slot]``, not its value.
    ``effort`` says that the time a node takes is in proportion to the value. ``hidden`` is what is declared of an input
    that no editor shows.
    """

    name: str
    type: str
    default: Any = NO_DEFAULT
    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Choice, ...] | FileChoices | None = None
    lazy: bool = False
    mentions: Mentions | FilesBelow | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    any_value: bool = False
    any_link: bool = False
    raw: bool = False
    effort: bool = False
    hidden: Any = None

    @property
    def files(self) -> "FileSource | None":
        """Where the files come from that its value names, if it names any."""
        return self.choices if isinstance(self.choices, FileChoices) else self.mentions

    @property
    def literal(self) -> bool:
        """Whether a value may stand in the workflow itself, not only on a wire."""
        return self.any_value or not LITERALS.isdisjoint(self.type.split(","))


LITERALS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "LIST"})


class Slot(NamedTuple):
    """One output."""

    name: str
    type: str
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node type: its function and everything the engine and editors know about it.

    ``ports`` are the inputs by name; ``files`` says of those that name files where the files come from.

    A foreign node may have two things more. ``shape`` gets what a workflow gives a node and returns the type as it is
    with these inputs, where not all are declared. ``check`` gets all literals and the types on the links of a node, and
    returns what is wrong, by input.
    """

    type: str
    function: Callable[..., Any]
    version: int | str
    category: str
    display_name: str
    description: str
    inputs: tuple[Port, ...]
    outputs: tuple[Slot, ...]
    hidden: Mapping[str, Hidden]
    context: str | None
    output_node: bool
    pure: bool
    resource: Resource
    is_async: bool
    input_is_list: bool
    numeric: bool
    lazy: Callable[..., list[str]] | None
    fingerprint: Callable[..., object] | None
    validate: Mapping[str, Callable[..., str | None]]
    flags: Mapping[str, bool]
    foreign: str = ""
    """The pack that it comes from, where it is not ours; its version is then a hash of the pack's sources."""
    shape: Callable[[Mapping[str, Any]], "NodeSpec"] | None = None
    check: Callable[[Mapping[str, Any], Mapping[str, str]], Mapping[str, str]] | None = None
    ports: Mapping[str, Port] = field(default_factory=dict)
    files: Mapping[str, FileSource] = field(default_factory=dict)
