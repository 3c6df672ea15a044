"""Values: wildcards, inputs that are not declared, objects without a byte form, changes in place."""

from dataclasses import dataclass


class AnyType(str):
    """A type that is unlike no other."""

    def __ne__(self, other):
        return False


class Flexible(dict):
    """Contains every name."""

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return (AnyType("*"),)


@dataclass
class Box:
    """An object that only this pack knows."""

    content: object


class FirstGiven:
    """Returns the first of its inputs."""

    RETURN_TYPES = (AnyType("*"),)
    FUNCTION = "first"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {}, "optional": Flexible()}

    def first(self, **kwargs):
        return (next(value for name, value in sorted(kwargs.items()) if value is not None),)


class PutIn:
    """Boxes a value."""

    RETURN_TYPES = ("BOX",)
    FUNCTION = "put"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"content": (AnyType("*"),)}}

    def put(self, content):
        return (Box(content),)


class TakeOut:
    """Unboxes a value."""

    RETURN_TYPES = (AnyType("*"),)
    FUNCTION = "take"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"box": ("BOX",)}}

    def take(self, box):
        return (box.content,)


class Darken:
    """Changes its input in place, as it should not."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "darken"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"image": ("IMAGE",), "how": (["torch", "numpy", "data"],)}}

    def darken(self, image, how):
        pixels = {"torch": image, "numpy": image.numpy(), "data": image.data}[how]
        pixels *= 0.5
        return (image,)


class Points:
    """Has a widget of its own."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "count"

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"points": ("CLASSIC_POINTS",)}}

    def count(self, points):
        return (len(points["at"]),)


MAPPINGS = {
    "FirstGiven": FirstGiven,
    "PutIn": PutIn,
    "TakeOut": TakeOut,
    "Darken": Darken,
    "Points": Points,
}
