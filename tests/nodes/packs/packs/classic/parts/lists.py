"""Lists in, lists out."""


class Split:
    """Gives a list."""

    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "split"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"text": ("STRING", {})}}

    def split(self, text):
        return (text.split(),)


class Join:
    """Takes a list."""

    RETURN_TYPES = ("STRING",)
    INPUT_IS_LIST = True
    FUNCTION = "join"

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"texts": ("STRING", {"forceInput": True}), "with_": ("STRING", {"default": "+"})},
            "hidden": {"id": "UNIQUE_ID"},
        }

    def join(self, texts, with_, id):
        return (with_[0].join([*texts, *id]),)


MAPPINGS = {"SplitWords": Split, "JoinWords": Join}
