"""Texts: join, cut, change and compare them."""

from typing import Annotated, Literal, NamedTuple

from engine.node import Widget, node

CATEGORY = "utils/string"

Text = Annotated[str, Widget(multiline=True)]
"""A text of any number of lines."""

Line = Annotated[str, Widget(multiline=False)]


class Length(NamedTuple):
    length: int


class Contains(NamedTuple):
    contains: bool


@node("StringConcatenate", category=CATEGORY, display_name="Concatenate")
def string_concatenate(string_a: Text, string_b: Text, delimiter: Line = "") -> str:
    """Join two texts with a delimiter between them."""
    return f"{string_a}{delimiter}{string_b}"


@node("StringSubstring", category=CATEGORY, display_name="Substring")
def string_substring(string: Text, start: int, end: int) -> str:
    """Take the characters from a place, counted from 0, up to another; negative places count from the end."""
    return string[start:end]


@node("StringLength", category=CATEGORY, display_name="Length")
def string_length(string: Text) -> Length:
    """Count the characters of a text."""
    return Length(len(string))


@node("CaseConverter", category=CATEGORY, display_name="Case Converter")
def case_converter(string: Text, *, mode: Literal["UPPERCASE", "lowercase", "Capitalize", "Title Case"]) -> str:
    """Change the case of a text: all of it, its first letter, or the first letter of each word."""
    match mode:
        case "UPPERCASE":
            return string.upper()
        case "lowercase":
            return string.lower()
        case "Capitalize":
            return string.capitalize()
        case "Title Case":
            return string.title()


@node("StringTrim", category=CATEGORY, display_name="Trim")
def string_trim(string: Text, *, mode: Literal["Both", "Left", "Right"]) -> str:
    """Leave out blanks and line ends around a text, or on one side of it."""
    match mode:
        case "Both":
            return string.strip()
        case "Left":
            return string.lstrip()
        case "Right":
            return string.rstrip()


@node("StringReplace", category=CATEGORY, display_name="Replace")
def string_replace(string: Text, find: Text, replace: Text) -> str:
    """Put one text in place of another, everywhere."""
    return string.replace(find, replace)


@node("StringContains", category=CATEGORY, display_name="Contains")
def string_contains(string: Text, substring: Text, case_sensitive: bool = True) -> Contains:
    """Tell whether a text has another in it."""
    if not case_sensitive:
        string, substring = string.lower(), substring.lower()
    return Contains(substring in string)


@node("StringCompare", category=CATEGORY, display_name="Compare")
def string_compare(
    string_a: Text,
    string_b: Text,
    *,
    mode: Literal["Starts With", "Ends With", "Equal"],
    case_sensitive: bool = True,
) -> bool:
    """Tell whether a text begins with another, ends with it, or is the same."""
    if not case_sensitive:
        string_a, string_b = string_a.lower(), string_b.lower()
    match mode:
        case "Starts With":
            return string_a.startswith(string_b)
        case "Ends With":
            return string_a.endswith(string_b)
        case "Equal":
            return string_a == string_b
