import nodes


def test_what_was_found_and_where(loomis, here):
    (here / "models" / "loras" / "people").mkdir(parents=True)
    (here / "models" / "loras" / "people" / "a.safetensors").write_bytes(b"x" * 2048)
    ran = loomis("models", "loras")
    assert ran.out.splitlines()[1].split() == [
        "loras", "people/a.safetensors", "2.0", "KiB", "models/loras/people/a.safetensors",
    ]  # fmt: skip


def test_the_embedded_models_are_there_without_a_flag(loomis):
    (found,) = loomis("models", "--json").lines
    for kind in ("checkpoints", "upscale_models"):
        folder = nodes.EMBEDDED / kind
        assert found[kind]["folders"][-1] == str(folder)
        assert {file["path"] for file in found[kind]["files"]} == {str(path) for path in folder.glob("*.safetensors")}


def test_kinds_without_files_are_named(loomis):
    assert "hypernetworks" in loomis("models").out.splitlines()[-1]


def test_a_kind_without_files_says_where_it_looked(loomis):
    assert loomis("models", "hypernetworks").out.startswith("No hypernetworks in models/hypernetworks, ")


def test_both_names_of_a_kind(loomis, here):
    (here / "models" / "unet").mkdir(parents=True)
    (here / "models" / "unet" / "a.safetensors").touch()
    for kind in ("unet", "diffusion_models"):
        assert [file["name"] for file in loomis("models", kind, "--json").lines[0]["diffusion_models"]["files"]] == [
            "a.safetensors"
        ]


def test_kinds_of_extra_model_paths(loomis, here):
    (here / "extra_model_paths.yaml").write_text("other:\n  my_kind: there\n")
    (here / "there").mkdir()
    (here / "there" / "a.pt").touch()
    assert loomis("models", "my_kind").out.splitlines()[1].split()[:2] == ["my_kind", "a.pt"]


def test_an_unknown_kind(loomis):
    ran = loomis("models", "lora")
    assert ran.code == 2
    assert "Did you mean loras?" in ran.err
