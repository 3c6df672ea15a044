"""Where files lie, as node packs ask for it: the module ``folder_paths`` over `engine.folders`.

Paths are absolute texts. ``folder_names_and_paths`` holds per kind of model its folders and the suffixes of its files
(an empty set means any); packs add kinds of their own. Folders for input, output and temporary files are asked for
anew each time, as each run may have its own.
"""

import mimetypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from engine.errors import FileError
from engine.folders import KINDS, LONGEST_PREFIX, PLACES, SAME, SUFFIXES, confined
from engine.outputs import filler, numbered
from nodes import EMBEDDED
from nodes.packs import current

supported_pt_extensions: set[str] = {*SUFFIXES, ".pt2", ".pkl"}

MORE_KINDS = {
    "configs": {".yaml"},
    "custom_nodes": set[str](),
    "classifiers": {""},
    "audio_encoders": supported_pt_extensions,
    "model_patches": supported_pt_extensions,
    "latent_upscale_models": supported_pt_extensions,
}
"""Kinds of folders that packs look up besides those whose files our nodes load."""


filename_list_cache: dict[str, Any] = {}

Kinds = dict[str, tuple[list[str], set[str]]]
_known: list[tuple[object, Kinds]] = []


def __getattr__(name: str) -> Any:
    match name:
        case "input_directory" | "output_directory" | "temp_directory":
            return _place(name.removesuffix("_directory"))
        case "models_dir":
            return str(_models_dir())
        case "base_path":
            return str(_models_dir().parent)
        case "user_directory":
            return get_user_directory()
        case "folder_names_and_paths":
            return _kinds()
    raise AttributeError(f"module 'folder_paths' has no attribute {name!r}")


def _models_dir() -> Path:
    own = [root for root in current.folders().models if root != EMBEDDED]
    return own[0].absolute() if own else Path("models").absolute()


def _kinds() -> Kinds:
    """Return the kinds of models, with those that packs added. They begin anew where models lie elsewhere."""
    folders = current.folders()
    where = folders.models, dict(folders.extra)
    if not _known or _known[0][0] != where:
        _known[:] = [(where, {name: _kind(name) for name in (*KINDS, *MORE_KINDS)})]
    return _known[0][1]


def _kind(name: str) -> tuple[list[str], set[str]]:
    if name in KINDS:
        suffixes = {"folder"} if name == "diffusers" else set(supported_pt_extensions)
        return [str(root.absolute()) for root in current.folders().roots(name)], suffixes
    root = _models_dir().parent if name == "custom_nodes" else _models_dir()
    return [str(root / name)], set(MORE_KINDS[name])


def _place(name: Any) -> str:
    """Return one of the three folders of the run, if one goes on, or of the process."""
    return _made(current.places().place(name))


def _made(folder: Path) -> str:
    """Return a folder. It is made where it is not there: packs list it while they are loaded."""
    path = folder.absolute()
    path.mkdir(parents=True, exist_ok=True)
    return str(path)


def get_input_directory() -> str:
    return _place("input")


def get_output_directory() -> str:
    return _place("output")


def get_temp_directory() -> str:
    return _place("temp")


def get_user_directory() -> str:
    return str(_models_dir().parent / "user")


def get_directory_by_type(type_name: str) -> str | None:
    """Return the folder for ``input``, ``output`` or ``temp``, else None."""
    return _place(type_name) if type_name in PLACES else None


# Model files.


def map_legacy(folder_name: str) -> str:
    """Return the name that a kind of models has today."""
    return SAME.get(folder_name, folder_name)


def get_folder_paths(folder_name: str) -> list[str]:
    """Return the folders of a kind of models. Raises KeyError for an unknown kind."""
    return list(_kinds()[map_legacy(folder_name)][0])


def add_model_folder_path(folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
    """Add a folder to a kind of models, which may be new. The default one comes first."""
    paths, _ = _kinds().setdefault(map_legacy(folder_name), ([], set()))
    if full_folder_path in paths:
        if not is_default:
            return
        paths.remove(full_folder_path)
    paths.insert(0 if is_default else len(paths), full_folder_path)


def recursive_search(
    directory: str, excluded_dir_names: Sequence[str] | None = None
) -> tuple[list[str], dict[str, float]]:
    """Return the files below a folder as relative paths, and the folders there with the times they were changed."""
    if not os.path.isdir(directory):  # noqa: PTH112
        return [], {}
    files: list[str] = []
    folders: dict[str, float] = {}
    for place, inside, names in os.walk(directory, followlinks=True):
        here = Path(place)
        seen = {here.resolve(), *here.resolve().parents}
        inside[:] = [
            name
            for name in inside
            if name not in (excluded_dir_names or ()) and (here / name).resolve() not in seen  # links in circles
        ]
        folders[place] = here.stat().st_mtime
        files += [(here / name).relative_to(directory).as_posix() for name in names]
    return files, folders


def filter_files_extensions(files: Iterable[str], extensions: Iterable[str]) -> list[str]:
    """Return the files with one of these suffixes, sorted. Without suffixes, or with ``folder``, they are all kept."""
    wanted = set(extensions)
    every = not wanted or "folder" in wanted
    return sorted(file for file in files if every or Path(file).suffix.lower() in wanted)


def filter_files_content_types(files: Iterable[str], content_types: Iterable[str]) -> list[str]:
    """Return the files that are an ``image``, a ``video``, ``audio`` or a ``model`` by their suffix."""
    wanted = set(content_types)
    return [file for file in files if _content_type(file) in wanted]


MODELS = frozenset({".gltf", ".glb", ".obj", ".fbx", ".stl", ".ply", ".usdz"})
"""Suffixes of three-dimensional models, which not every system knows a type of."""


def _content_type(file: str) -> str:
    if Path(file).suffix.lower() in MODELS:
        return "model"
    return (mimetypes.guess_type(file)[0] or "").partition("/")[0]


def get_filename_list(folder_name: str) -> list[str]:
    """Return the files of a kind of models, sorted, as paths below its folders. Raises KeyError for an unknown kind."""
    paths, suffixes = _kinds()[map_legacy(folder_name)]
    return sorted({name for path in paths for name in filter_files_extensions(recursive_search(path)[0], suffixes)})


def get_full_path(folder_name: str, filename: str) -> str | None:
    """Return where a model file lies, or None where there is none under this name, or the kind is unknown."""
    try:
        relative = confined(str(filename))
    except FileError:
        return None
    paths, _ = _kinds().get(map_legacy(folder_name), ((), ()))
    return next((str(Path(path, relative)) for path in paths if Path(path, relative).is_file()), None)


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    """Return where a model file lies. Raises FileNotFoundError where there is none under this name."""
    found = get_full_path(folder_name, filename)
    if found is None:
        raise FileNotFoundError(f"There is no {filename!r} in the folders of {folder_name!r}.")
    return found


# Pictures and other files of a workflow.


def annotated_filepath(name: str) -> tuple[str, str | None]:
    """Return ``name [output]`` without its mark, and the folder that the mark names; None without one."""
    for place in PLACES:
        if name.endswith(f" [{place}]"):
            return name.removesuffix(f" [{place}]"), _made(current.folders().place(place))
    return name, None


def get_annotated_filepath(name: str, default_dir: str | None = None) -> str:
    """Return the path that a name of an input file means, whether the file is there or not.

    Raises:
        FileError: it leads out of its folder.
    """
    bare, folder = annotated_filepath(name)
    return str(Path(folder or default_dir or _place("input"), confined(bare)))


def exists_annotated_filepath(name: str) -> bool:
    """Whether there is the file that a name of an input file means. Raises FileError where it leads out."""
    return Path(get_annotated_filepath(name)).exists()


def get_input_subfolders() -> list[str]:
    """Return the folders below the input folder, sorted."""
    root = Path(_place("input"))
    return sorted(Path(place).relative_to(root).as_posix() for place in recursive_search(str(root))[1])[1:]


def ours(path: str | Path) -> Path:
    """Return a path as it is when it lies where foreign code may write: in our folders or those of models.

    Raises:
        FileError: it lies elsewhere.
    """
    places = [each.place(place) for each in (current.places(), current.folders()) for place in PLACES]
    roots = [*dict.fromkeys(places), _models_dir(), Path(get_user_directory())]
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        raise FileError(
            "A node pack wants to write outside of the folders that are there for it.",
            got=str(path),
            expected=[str(root) for root in roots],
            hint="Choose a place below the output folder.",
        )
    return Path(path)


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """Return where to save files: folder, name, the next number that is free, path below ``output_dir``, prefix.

    ``%width%``, ``%date:...%`` and their like are filled in; ``%batch_num%`` is left to who saves. The folder is made.

    Raises:
        FileError: the prefix leads out of ``output_dir``, or that lies outside of our folders.
    """
    fill = filler(0, image_width, image_height)
    prefix = "%batch_num%".join(fill(part) for part in filename_prefix.split("%batch_num%"))
    relative = confined(prefix, LONGEST_PREFIX)
    folder = ours(output_dir) / relative.parent
    folder.mkdir(parents=True, exist_ok=True)
    number = Path(numbered(Path(output_dir), prefix, "")(0)).name.removeprefix(f"{relative.name}_").strip("_")
    below = relative.parent.as_posix()
    return str(folder), relative.name, int(number), "" if below == "." else below, prefix
