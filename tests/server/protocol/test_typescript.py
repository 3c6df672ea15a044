"""The TypeScript types are those of the models, and are committed."""

import re
from pathlib import Path

from server.protocol.typescript import typescript

ROOT = Path(__file__).parents[3]


def test_the_committed_types_are_what_the_models_give() -> None:
    assert (ROOT / "docs/protocol.ts").read_text() == typescript(), "run: python -m server.protocol"


def test_every_type_that_is_named_is_declared_once() -> None:
    text = re.sub(r'/\*\*.*?\*/|//.*|"[^"]*"', "", typescript(), flags=re.DOTALL)
    declared = re.findall(r"export (?:interface|type) (\w+)", text)
    named = set(re.findall(r"\b[A-Z]\w+", text)) - {"Record", "Uint8Array"}

    assert len(set(declared)) == len(declared)
    assert named == set(declared)


def test_types_say_what_is_optional() -> None:
    text = typescript()

    assert 'export interface SetInput {\n  op: "set";\n  node: string;\n  input: string;\n  value: unknown;\n}' in text
    assert "  base?: number | null;" in text
    assert "  seconds: [number, number];" in text
    assert "  data: Uint8Array;" in text
    assert '  "session.edit": Edited;' in text
