"""A plain node: widgets, bounds, a hidden id."""


class Shout:
    """Shouts."""

    DESCRIPTION = "Say it louder."
    CATEGORY = "classic/words"
    RETURN_TYPES = ("STRING", "INT")
    RETURN_NAMES = ("shout", "length")
    FUNCTION = "shout"
    calls = 0

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "text": ("STRING", {"default": "hey", "multiline": True}),
                "times": ("INT", {"default": 1, "min": 1, "max": 3}),
            },
            "optional": {"mark": (["!", "?", 3],), "more": ("STRING", {"forceInput": True})},
        }

    def shout(self, text, times, mark="!", more=""):
        self.calls += 1
        said = " ".join([text.upper() + str(mark)] * times) + more
        return said, len(said)
