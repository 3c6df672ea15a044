"""The choices of an input: what is there, and what a wrong one is told."""

import re
from collections.abc import Sequence

from engine.errors import Fault, FileError, listed, shortened
from engine.folders import Folders
from engine.graph import Node
from engine.schema import Choice, FileChoices, Files, InputFile, InputFolder, Mentions, ModelFolder, Port
from engine.spelling import nearest, nearest_file


class BadInput(Exception):
    """An input that can't be bound, before it is known where."""

    def __init__(self, code: str, message: str, got: object, expected: object, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.got, self.expected, self.hint = code, message, got, expected, hint

    def fault(self, node: Node, port: Port) -> Fault:
        return Fault(
            code=self.code,
            message=f"Node {node.id} ({node.class_type}), input {port.name}: {self.message}",
            node=node.id,
            class_type=node.class_type,
            input=port.name,
            got=None if self.got is None else shortened(self.got),
            expected=None if self.expected is None else listed(self.expected),
            hint=self.hint,
        )


NONE_THERE = "one that is there, and none is there yet"


class Choices:
    """The choices of inputs that name files, listed at most once per check."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.listed: dict[FileChoices, list[str]] = {}

    def check(self, value: str, port: Port) -> Choice:
        """Return ``value`` if it is a choice of ``port``, else raise BadInput with the nearest one."""
        source = port.choices
        if isinstance(source, tuple):
            if value in source:
                return value
            for option in source:
                if str(option) == value:
                    return option
            options: Sequence[str] = [str(option) for option in source]
        else:
            assert source, "only ports with choices are checked"
            try:
                if self._exists(value, source):
                    return value.replace("\\", "/")
            except FileError as error:
                raise BadInput("value_not_in_list", error.message, value, error.expected, error.hint) from None
            options = self.names(source)
        near = nearest(value, options) if isinstance(source, tuple) else nearest_file(value, options)
        raise BadInput(
            "value_not_in_list",
            f"{shortened(value, 80)!r} is not there."
            if not isinstance(source, tuple)
            else f"{shortened(value, 80)!r} is no choice.",
            value,
            near or ", ".join(options) or NONE_THERE,
            self._advice(source, near),
        )

    def check_mentions(self, text: str, mentions: Mentions) -> None:
        """Raise BadInput with the nearest name where a text names a file that is not there."""
        source = Files(mentions.folder)
        for name in re.findall(mentions.pattern, text):
            try:
                found = self.folders.named(mentions.folder, name)
            except FileError as error:
                raise BadInput("value_not_in_list", error.message, name, error.expected, error.hint) from None
            if found is None:
                stems = [option.rsplit(".", 1)[0] for option in self.names(source)]
                near = nearest(name, stems)
                raise BadInput(
                    "value_not_in_list",
                    f"it names {shortened(name, 80)!r} of {mentions.folder}, which is not there.",
                    name,
                    near or ", ".join(stems) or NONE_THERE,
                    self._advice(source, near),
                )

    def _exists(self, value: str, source: FileChoices) -> bool:
        if isinstance(source, Files):
            return value in source.also or self.folders.model(source.folder, value) is not None
        if isinstance(source, InputFolder):
            return self.folders.input_folder(value) is not None
        if isinstance(source, ModelFolder):
            return self.folders.model_folder(source.folder, value) is not None
        return self.folders.input_file(value) is not None

    def _advice(self, source: FileChoices | tuple[Choice, ...] | None, near: str | None) -> str:
        meant = f"Did you mean {near!r}?" if near else ""
        if isinstance(source, Files | ModelFolder):
            roots = self.folders.roots(source.folder)
            what = "file" if isinstance(source, Files) else "folder"
            where = f"put the {what} into {roots[0]}." if roots else "pass the folder that holds your models."
        elif isinstance(source, InputFile | InputFolder):
            what = "file" if isinstance(source, InputFile) else "folder"
            where = f"put the {what} into {self.folders.input}, or name its folder with --input."
        elif source:
            return meant or "Use one of the choices."
        else:
            return "Put what the node looks for where its pack says, and try again: it found nothing to offer."
        return f"{meant} If not, {where}" if meant else f"P{where[1:]}"

    def names(self, source: FileChoices) -> list[str]:
        """Return the names of the files that are there."""
        if source not in self.listed:
            self.listed[source] = offered(source, self.folders)
        return self.listed[source]


def offered(source: FileChoices, folders: Folders) -> list[str]:
    """Return the choices of an input that names a file or folder, sorted, as they are in ``folders`` now."""
    match source:
        case Files(folder, also):
            return [*also, *folders.names(folder)]
        case InputFolder():
            return folders.input_folders()
        case ModelFolder(folder):
            return folders.model_folders(folder)
    return folders.inputs(source.suffixes)
