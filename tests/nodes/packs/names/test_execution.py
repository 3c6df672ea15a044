import asyncio
from typing import Any

from engine.folders import Folders
from nodes.packs.names import execution
from nodes.packs.names.execution import full_type_name, validate_prompt


def node(type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": type, "inputs": inputs}


def test_names_of_types() -> None:
    assert full_type_name(int) == "int" and full_type_name(Folders) == "engine.folders.Folders"


def test_a_prompt_is_checked_as_a_run_would(folders: Folders) -> None:
    empty = node("EmptyImage", width=8, height=8, batch_size=1, color=0)
    good = {"1": empty, "2": node("PreviewImage", images=["1", 0])}
    assert asyncio.run(validate_prompt("id", good)) == (True, None, ["2"], {})
    partly = {**good, "3": node("PreviewImage")}
    valid, error, outputs, faults = asyncio.run(validate_prompt("id", partly))
    assert valid and error is None and outputs == ["2"]
    assert [fault["type"] for fault in faults["3"]["errors"]] == ["required_input_missing"]
    valid, error, outputs, faults = asyncio.run(validate_prompt("id", {"3": node("PreviewImage")}))
    assert not valid and error is not None and outputs == [] and list(faults) == ["3"]
    assert asyncio.run(validate_prompt("id", {"1": empty}))[0] is False


def test_a_pack_may_put_its_own_in_place_of_a_placeholder() -> None:
    before = execution.PromptExecutor.handle_execution_error
    execution.PromptExecutor.handle_execution_error = len
    assert execution.PromptExecutor.handle_execution_error is len is not before
    del execution.PromptExecutor.handle_execution_error
