"""The schema says what the models take and give, and is the one that is committed."""

from pathlib import Path
from typing import get_args

from server.protocol.commands import COMMANDS, command_name
from server.protocol.edits import Edit
from server.protocol.messages import MESSAGES, FactKind
from server.protocol.schema import protocol_schema, schema_text

ROOT = Path(__file__).parents[3]


def test_the_committed_schema_is_what_the_models_give() -> None:
    assert (ROOT / "docs/protocol.schema.json").read_text() == schema_text(), "run: python -m server.protocol"


def test_every_message_is_in_it() -> None:
    schema = protocol_schema()

    assert list(schema["commands"]) == list(schema["results"]) == [command_name(kind) for kind in COMMANDS]
    assert len(schema["events"]) == len(MESSAGES)
    refs = [entry["$ref"] for group in ("commands", "results", "events") for entry in schema[group].values()]
    assert {ref.removeprefix("#/$defs/") for ref in refs} <= schema["$defs"].keys()


def test_commands_refuse_what_they_do_not_know_and_everything_is_described() -> None:
    schema = protocol_schema()

    for entry in schema["commands"].values():
        assert schema["$defs"][entry["$ref"].removeprefix("#/$defs/")]["additionalProperties"] is False
    assert [name for name, entry in schema["$defs"].items() if not entry.get("description")] == []


def test_the_documentation_names_every_command_edit_event_and_fact() -> None:
    text = (ROOT / "docs/protocol.md").read_text()
    names = [command_name(kind) for kind in COMMANDS]
    names += [kind.model_fields["op"].annotation.__args__[0] for kind in get_args(get_args(Edit)[0])]
    names += get_args(FactKind)
    names += [kind.model_fields["event"].default for kind in MESSAGES]

    assert [name for name in names if f"`{name}`" not in text] == []
