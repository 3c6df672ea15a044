def test_info_counts_by_node_type(loomis, workflow):
    assert loomis("cache").out.startswith("0 results and 0 values")
    loomis("run", workflow)
    head, *rows, _ = [line.split() for line in loomis("cache", "info").out.splitlines()]
    assert head == ["node", "type", "results", "values", "size"]
    assert [row[:2] for row in rows] == [["PreviewAny", "1"], ["PrimitiveString", "1"]]
    (info,) = loomis("cache", "--json").lines
    assert (info["rows"], info["types"]["PreviewAny"]["rows"]) == (2, 1)


def test_a_limit_comes_from_the_settings(loomis, here):
    (here / "mine.toml").write_text("disk_gb = 0.5")
    assert loomis("cache", "--settings", "mine.toml", "--json").lines[0]["limit"] == 2**29


def test_verify(loomis, workflow):
    loomis("run", workflow)
    ran = loomis("cache", "verify")
    assert (ran.code, ran.out.split()[-3:]) == (0, ["all", "are", "sound."])


def test_verify_drops_what_is_left_over_and_says_so(loomis, workflow, here):
    loomis("run", workflow)
    stray = here / "data" / "loomis" / "store" / "objects" / "00" / ("0" * 64)
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"x")
    ran = loomis("cache", "verify", "--json")
    assert (ran.code, ran.lines[0]["clean"]) == (1, False)
    assert not stray.exists()
    assert loomis("cache", "verify").code == 0


def test_a_store_that_can_not_be_reached_is_an_error_and_not_an_empty_one(loomis, here):
    (here / "file").write_text("no folder")
    for what in ("info", "verify", "clear"):
        ran = loomis("cache", what, "--data", "file")
        assert (ran.code, ran.out) == (1, "") and "can't be reached" in ran.err


def test_what_is_for_clear_is_not_passed_over_elsewhere(loomis):
    ran = loomis("cache", "verify", "--type", "KSampler")
    assert ran.code == 2 and "are for clear, not for verify" in ran.err


def test_clear_one_type(loomis, workflow):
    loomis("run", workflow)
    assert loomis("cache", "clear", "--type", "PreviewAny").code == 0
    assert list(loomis("cache", "--json").lines[0]["types"]) == ["PrimitiveString"]


def test_clear_only_what_is_old(loomis, workflow):
    loomis("run", workflow)
    assert loomis("cache", "clear", "--older-than", "1", "--json").lines == [{"freed": 0}]


def test_clear(loomis, workflow):
    loomis("run", workflow)
    assert loomis("cache", "clear").out.startswith("Freed ")
    assert loomis("cache", "--json").lines[0]["rows"] == 0
    ran = loomis("run", workflow, "--json")
    assert [line["event"] for line in ran.lines[:-1]].count("node_finished") == 2
