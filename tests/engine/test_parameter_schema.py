from pathlib import Path

from engine.parameter_schema import parameter_schema
from tests.engine.words import Vocabulary, engine, n

GRAPH = {
    "1": n("Divide", a=1, b=5),
    "2": n("Weights", name="b.safetensors"),
    "3": n("Far", x=1),
    "4": n("Gate", value=1),
}
DECLARED = {
    "b": {"input": "Divide.b", "minimum": 2, "description": "Below the line."},
    "kind": {"input": "Divide.a", "choices": [1, 2], "default": 2},
    "share": {"input": "Far.x", "type": "number"},
    "model": "Weights.name",
    "open": "Gate.open",
}


def test_what_is_declared_is_the_schema(tmp_path: Path):
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    (tmp_path / "models" / "checkpoints" / "a.safetensors").touch()
    with engine(Vocabulary(), tmp_path) as e:
        schema = parameter_schema(e.parameters({"prompt": GRAPH, "loomis": {"parameters": DECLARED}}), e.folders)
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "b": {"description": "Below the line.", "type": "integer", "minimum": 2, "maximum": 100, "default": 5},
        "kind": {"type": "integer", "enum": [1, 2], "default": 2},
        "share": {"type": "number", "default": 1},
        "model": {"type": "string", "enum": ["a.safetensors"], "default": "b.safetensors"},
        "open": {"type": "boolean"},
    }


def test_without_declarations_every_input_is_a_property(tmp_path: Path):
    with engine(Vocabulary(), tmp_path) as e:
        schema = parameter_schema(e.parameters(GRAPH), e.folders)
    assert list(schema["properties"]) == ["Divide.a", "Divide.b", "Weights.name", "Far.x", "Gate.value", "Gate.open"]
    assert schema["properties"]["Far.x"] == {"default": 1}
