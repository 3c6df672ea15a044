from engine.errors import Fault
from server.comfy.faults import node_errors
from tests.server.vocabulary import vocabulary


def test_what_is_declared_of_an_input_stands_beside_each_of_its_faults():
    faults = [
        Fault("invalid_input_type", f"Node {id} (Add), input {name}: no.", str(id), "Add", name)
        for id in range(3)
        for name in ("a", "b")
    ]
    found = node_errors(faults, {"1": {"inputs": {"a": "x"}}}, vocabulary())
    assert list(found) == ["0", "1", "2"]
    for entry in found.values():
        assert [error["extra_info"]["input_config"][0] for error in entry["errors"]] == ["INT", "INT"]
    assert [error["extra_info"]["received_value"] for error in found["1"]["errors"]] == ["x", None]
    unknown = Fault("missing_node_type", "Node 1: there is no node type 'X'.", "1", "X", "a")
    assert node_errors([unknown], {}, vocabulary())["1"]["errors"][0]["extra_info"]["input_config"] is None
