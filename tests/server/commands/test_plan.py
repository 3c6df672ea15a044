def test_a_plan_says_what_runs_and_why(loomis, workflow):
    ran = loomis("plan", workflow)
    assert ran.code == 0
    head, *rows, last = [line.split() for line in ran.out.splitlines()]
    assert head == ["node", "type", "state", "why", "expected"]
    assert rows == [
        ["1", "PrimitiveString", "runs", "never", "run"],
        ["2", "PreviewAny", "depends", "something", "above", "it", "runs"],
    ]
    assert last == ["1", "of", "2", "nodes", "run"]


def test_a_plan_runs_nothing(loomis, workflow):
    loomis("plan", workflow)
    assert loomis("plan", workflow, "--json").lines[0]["nodes"]["1"]["state"] == "runs"


def test_a_plan_after_a_run(loomis, workflow):
    loomis("run", workflow)
    (plan,) = loomis("plan", workflow, "--json").lines
    assert {id: (step["type"], step["state"]) for id, step in plan["nodes"].items()} == {
        "1": ("PrimitiveString", "remembered"),
        "2": ("PreviewAny", "remembered"),
    }
    assert plan["seconds"] == [0.0, 0.0]


def test_a_changed_value_is_named(loomis, workflow):
    loomis("run", workflow)
    (plan,) = loomis("plan", workflow, "--set", "1.value=a hare", "--json").lines
    assert (plan["nodes"]["1"]["why"], plan["nodes"]["2"]["state"]) == ("value changed", "depends")


def test_only(loomis, workflow):
    (plan,) = loomis("plan", workflow, "--only", "1", "--json").lines
    assert list(plan["nodes"]) == ["1"]


def test_a_file_that_is_missing(loomis):
    ran = loomis("plan", "missing.json")
    assert (ran.code, ran.err.splitlines()[0]) == (3, "error: missing.json can't be opened: No such file or directory.")
