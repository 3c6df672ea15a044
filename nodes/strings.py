"""Texts: join, cut, change, compare and search them."""

import re
from typing import Annotated, Literal, NamedTuple

from engine.errors import InputError
from engine.node import Field, OptionalInput, Widget, node

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


Pattern = Annotated[str, Widget(multiline=True)]
"""A regular expression as Python's ``re`` has it."""


class Matches(NamedTuple):
    matches: bool


@node("RegexMatch", category=CATEGORY, display_name="Regex Match")
def regex_match(
    string: Text,
    regex_pattern: Pattern,
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
) -> Matches:
    """Tell whether a pattern is found anywhere in a text."""
    return Matches(bool(_compiled(regex_pattern, case_insensitive, multiline, dotall).search(string)))


@node("RegexExtract", category=CATEGORY, display_name="Regex Extract")
def regex_extract(
    string: Text,
    regex_pattern: Pattern,
    *,
    mode: Literal["First Match", "All Matches", "First Group", "All Groups"],
    case_insensitive: bool = True,
    multiline: bool = False,
    dotall: bool = False,
    group_index: Annotated[int, Field(ge=0, le=100)] = 1,
) -> str:
    """Take what a pattern finds in a text, or a group of it: the first, or all of them line by line.

    Nothing found, or no such group, is an empty text.
    """
    pattern = _compiled(regex_pattern, case_insensitive, multiline, dotall)
    group = group_index if "Group" in mode else 0
    if group > pattern.groups:
        return ""
    found = (match[group] or "" for match in pattern.finditer(string))
    return "\n".join(found) if mode.startswith("All") else next(found, "")


@node("RegexReplace", category=CATEGORY, display_name="Regex Replace")
def regex_replace(
    string: Text,
    regex_pattern: Pattern,
    replace: Text,
    case_insensitive: Annotated[bool, OptionalInput()] = True,
    multiline: Annotated[bool, OptionalInput()] = False,
    dotall: Annotated[bool, OptionalInput(), Widget(tooltip="Let a dot stand for the end of a line, too.")] = False,
    count: Annotated[
        int, Field(ge=0, le=100), OptionalInput(), Widget(tooltip="How many are replaced at most; 0 is all of them.")
    ] = 0,
) -> str:
    """Put a text in place of what a pattern finds; it may name groups of the pattern: \\1, \\g<name>."""
    pattern = _compiled(regex_pattern, case_insensitive, multiline, dotall)
    try:
        return pattern.sub(replace, string, count)
    except (re.error, IndexError) as error:
        raise InputError(
            f"The text to put in names a group that the pattern does not have: {error}.",
            input="replace",
            got=replace,
            expected=f"groups up to {pattern.groups}",
        ) from error


def _compiled(pattern: str, case_insensitive: bool, multiline: bool, dotall: bool) -> re.Pattern[str]:
    chosen = {re.IGNORECASE: case_insensitive, re.MULTILINE: multiline, re.DOTALL: dotall}
    flags = sum(flag for flag, is_on in chosen.items() if is_on)
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise InputError(
            f"The pattern is no regular expression: {error}.",
            input="regex_pattern",
            got=pattern,
            expected="a regular expression of Python",
            hint="Put a backslash before a character that is meant as it is: \\( \\[ \\. \\*",
        ) from error
