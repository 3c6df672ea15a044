"""A node."""

import folder_paths


class Say:
    """Says where inputs lie, and lists the files that are there."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "say"

    @classmethod
    def INPUT_TYPES(s):
        import os

        return {
            "required": {
                "file": (sorted(os.listdir(folder_paths.get_input_directory())) or ["none"],),
                "lora": (folder_paths.get_filename_list("loras"),),
                "size": ([1, 2, 3, True], {"default": 2}),
            }
        }

    def say(self, file, lora, size):
        return (f"{file} {lora} {size!r}",)
