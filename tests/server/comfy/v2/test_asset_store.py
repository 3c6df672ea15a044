from pathlib import Path

import pytest

from server.comfy.v2.asset_store import AssetStore


@pytest.fixture
def store(tmp_path: Path) -> AssetStore:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("hello")
    return AssetStore(tmp_path / "data" / "assets.db", tmp_path / "in")


def test_assets_are_there_after_a_restart(store: AssetStore):
    first = store.add("d", "a.txt", "text/plain", created=True)
    second = store.add("d", "a.txt", "text/x", created=False)
    anew = AssetStore(store.path, store.root)
    assert anew.find(first.id) == first
    assert [asset.id for asset in anew.with_digest("d")] == [second.id, first.id]
    assert (anew.find("none"), anew.with_digest("e")) == (None, [])


def test_content_is_known_while_its_file_is_what_it_was(store: AssetStore):
    store.add("d", "a.txt", "text/plain", created=True)
    (store.root / "a.txt").write_text("jello")
    assert store.with_digest("d") == []
    (store.root / "a.txt").unlink()
    assert store.with_digest("d") == []


@pytest.mark.parametrize("created", [True, False])
def test_a_file_goes_with_its_last_asset_if_it_came_with_one(store: AssetStore, created: bool):
    assets = [store.add("d", "a.txt", "text/plain", created), store.add("d", "a.txt", "text/plain", created=False)]
    for asset in assets:
        assert (store.root / "a.txt").is_file()
        store.remove(asset)
        assert store.find(asset.id) is None
    assert (store.root / "a.txt").is_file() != created
