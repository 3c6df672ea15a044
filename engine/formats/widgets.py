"""Which inputs of a node type have a widget, and which value slots a saved node has for them.

The editor saves widget values as a list in widget order. Some widgets hold a slot in that list and are never sent:
what to do with a seed after a run, upload buttons, players.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.formats.catalogue import ClassInfo, InputInfo, inputs_of

NUMBERS = ("INT", "FLOAT")
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
WIDGET_TYPES = frozenset(
    {
        "INT",
        "FLOAT",
        "STRING",
        "BOOLEAN",
        "COMBO",
        "COLOR",
        "CURVE",
        "BOUNDING_BOX",
        "MARKDOWN",
        "TEXTAREA",
        "IMAGEUPLOAD",
        "AUDIOUPLOAD",
        "AUDIO_UI",
        "AUDIO_RECORD",
        "WEBCAM",
        "LOAD_3D",
        "LOAD_3D_ANIMATION",
        "PREVIEW_3D",
        "PREVIEW_3D_ANIMATION",
        "IMAGECROP",
        "IMAGECOMPARE",
        "GALLERIA",
        "CHART",
        "MULTISELECT",
        "SELECTBUTTON",
        "TREESELECT",
        "COMFY_DYNAMICCOMBO_V3",
    }
)
DEFAULTS: Mapping[str, Any] = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}

SEEDS = ("seed", "noise_seed")
CONTROL = "control_after_generate"
CONTROL_FILTER = "control_filter_list"
CONTROL_MODES = ("fixed", "increment", "decrement", "randomize", "increment-wrap")
UPLOADS = ("image_upload", "animated_image_upload", "video_upload")

PLAYERS: Mapping[str, str] = {
    **dict.fromkeys(("LoadAudio", "SaveAudio", "SaveAudioMP3", "SaveAudioOpus", "PreviewAudio"), "audioUI"),
    **dict.fromkeys(("SaveGLB", "Preview3D", "Preview3DAnimation"), "image"),
}
"""Types to which the editor adds a player of its own. It sends the player's empty value along."""


@dataclass(frozen=True, slots=True)
class Widget:
    """One value slot. ``sent`` widgets are inputs of the API graph; a ``forced`` one is a slot of old files only."""

    name: str
    type: str
    sent: bool = True
    forced: bool = False
    default: Any = None
    choices: tuple[Any, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def has_widget(info: InputInfo) -> bool:
    """Whether the editor shows a widget for a declared input (and so saves a value)."""
    return not info.forced and str(info.options.get("widgetType", info.type)) in WIDGET_TYPES


def layout_of(info: ClassInfo) -> tuple[Widget, ...]:
    """Return the value slots of a node type in saved order, forced ones included."""
    slots = [slot for declared in info.inputs for slot in slots_of(declared)]
    if info.name in PLAYERS:
        slots.append(Widget(PLAYERS[info.name], "PLAYER", default=""))
    if any(declared.options.get(option) for declared in info.inputs for option in (*UPLOADS, "audio_upload")):
        slots.append(Widget("upload", "UPLOAD", sent=False))
    return tuple(slots)


def slots_of(info: InputInfo) -> Iterator[Widget]:
    """Yield the slots of one declared input: none, its own, or its own and those of its control."""
    kind = str(info.options.get("widgetType", info.type))
    if info.forced:
        yield Widget(info.name, kind, sent=False, forced=True)
        return
    if kind not in WIDGET_TYPES:
        return
    yield Widget(info.name, kind, default=default_of(info, kind), choices=info.choices, options=info.options)
    if _controlled(info):
        yield Widget(CONTROL, "CONTROL", sent=False)
        if kind == "COMBO":
            yield Widget(CONTROL_FILTER, "CONTROL", sent=False)


def default_of(info: InputInfo, kind: str) -> Any:
    """Return the value that a new node shows; None where there is none (an empty list of choices)."""
    declared = info.options.get("default")
    if declared is not None:
        return declared
    if info.options.get("multiselect"):
        return []
    first = info.choices[0] if info.choices else DEFAULTS.get(kind)
    return first.get("key") if isinstance(first, Mapping) else first


def children_of(widget: Widget, value: Any) -> list[Widget]:
    """Return the slots that the selected option of a dynamic combo adds after its own."""
    if widget.type != DYNAMIC_COMBO:
        return []
    options = [item for item in widget.choices or () if isinstance(item, Mapping)]
    inputs = next((item.get("inputs") for item in options if item.get("key") == value), None)
    return [
        slot
        for declared in inputs_of(inputs)
        for slot in slots_of(replace(declared, name=f"{widget.name}.{declared.name}"))
    ]


def walk(layout: Iterable[Widget], value_of: Callable[[Widget, int], Any]) -> list[tuple[Widget, Any]]:
    """Return every slot with its value; ``value_of`` gives the value of a slot at a position, None where it has none.

    The slots of a dynamic combo follow from its value, so the length is known only at the end.
    """
    pending = deque(layout)
    walked: list[tuple[Widget, Any]] = []
    while pending:
        widget = pending.popleft()
        value = value_of(widget, len(walked))
        walked.append((widget, value))
        pending.extendleft(reversed(children_of(widget, widget.default if value is None else value)))
    return walked


def is_control(value: Any) -> bool:
    """A control value; old files have true and false."""
    return isinstance(value, bool) or value is None or (isinstance(value, str) and value in CONTROL_MODES)


def _controlled(info: InputInfo) -> bool:
    option = info.options.get(CONTROL)
    if option is not None:
        return bool(option) and info.type in ("INT", "COMBO")
    return info.type == "INT" and info.name in SEEDS
