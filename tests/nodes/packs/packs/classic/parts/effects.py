"""What is shown, what changes by itself, what is checked."""

import asyncio
import os
from pathlib import Path

import folder_paths


class Tell:
    """Shows a text."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "tell"

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"text": ("STRING", {"forceInput": True})},
            "hidden": {
                "id": "UNIQUE_ID",
                "prompt": "PROMPT",
                "extra": "EXTRA_PNGINFO",
                "graph": "DYNPROMPT",
                "key": "API_KEY_COMFY_ORG",
            },
        }

    def tell(self, text, id, prompt, extra, graph, key):
        print("told")
        same = prompt[id] == graph.get_node(id)
        prompt.clear()
        return {"ui": {"text": (text,), "same": [same], "key": [key]}}


class Clock:
    """Is as old as it is told."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "read"
    age = 0

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"step": ("INT", {"default": 1})}}

    @classmethod
    def IS_CHANGED(cls, step):
        if step == 9:
            raise ValueError("no nines")
        return cls.age

    def read(self, step):
        return (self.age * step,)


class Even:
    """Takes even numbers."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "same"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"number": ("INT", {"max": 2}), "unit": (["m"],)}}

    @classmethod
    def VALIDATE_INPUTS(s, number):
        return True if number is None or number % 2 == 0 else f"{number} is odd."

    def same(self, number, unit):
        return (number,)


class Typed:
    """Judges the types of what is linked."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "name"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"value": ("FLOAT", {"forceInput": True})}}

    @classmethod
    def VALIDATE_INPUTS(s, input_types):
        return True if input_types["value"] in ("INT", "STRING") else "It takes texts and whole numbers."

    def name(self, value):
        return (type(value).__name__,)


class Later:
    """Takes its time."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "wait"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {})}}

    async def wait(self, text):
        await asyncio.sleep(0)
        return (text[::-1],)


class Keep:
    """Writes a file itself."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "keep"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {})}}

    def keep(self, text):
        folder = os.path.join(folder_paths.get_output_directory(), "kept")
        os.makedirs(folder, exist_ok=True)
        if text:
            Path(folder, "kept.txt").write_text(text)
        return {"ui": {"files": [{"filename": "kept.txt", "subfolder": "kept", "type": "output"}], "text": [text]}}


class Save:
    """Saves a text as nodes save pictures: to the folder that there was when it was made."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "save"

    def __init__(self):
        self.output_dir = folder_paths.get_output_directory()

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {})}}

    def save(self, text):
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path("said", self.output_dir)
        file = f"{name}_{number:05}_.txt"
        Path(folder, file).write_text(text)
        return {"ui": {"images": [{"filename": file, "subfolder": subfolder, "type": "output"}]}}


class Peek:
    """Reads a widget of another node in the workflow."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "peek"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"id": ("STRING", {})}, "hidden": {"prompt": "PROMPT"}}

    def peek(self, id, prompt):
        return (prompt[id]["inputs"]["text"],)


class Pick:
    """Reads files of models, some of a kind that only the pack knows."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "read"

    @classmethod
    def INPUT_TYPES(s):
        own = os.path.join(folder_paths.models_dir, "classic_words")
        folder_paths.add_model_folder_path("classic_words", own)
        return {
            "required": {
                "lora": (["None", *folder_paths.get_filename_list("loras")],),
                "words": (["None", *folder_paths.get_filename_list("classic_words")],),
                "vae": (folder_paths.get_filename_list("vae"),),
            }
        }

    def read(self, **named):
        kinds = {"lora": "loras", "words": "classic_words", "vae": "vae"}
        paths = [folder_paths.get_full_path(kinds[each], name) for each, name in sorted(named.items())]
        return (" ".join(Path(path).read_text() if path else "-" for path in paths),)


MAPPINGS = {
    "Clock": Clock,
    "Even": Even,
    "KeepFile": Keep,
    "Later": Later,
    "Peek": Peek,
    "Pick": Pick,
    "SaveText": Save,
    "Tell": Tell,
    "Typed": Typed,
}
