from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.server.comfy.online import client

pytestmark = pytest.mark.anyio


async def test_model_files_are_listed(tmp_path: Path):
    root = tmp_path / "models"
    for name in ("loras/sub/a.safetensors", "embeddings/b.pt"):
        (root / name).parent.mkdir(parents=True)
    save_file({"x": np.zeros(1, "f4")}, root / "loras/sub/a.safetensors", {"ss_tag": "1"})
    (root / "embeddings/b.pt").write_bytes(b"x")
    async with client(tmp_path) as (http, services):
        services.engine.folders = replace(services.engine.folders, models=(root,))
        assert {"loras", "vae", "checkpoints"} <= set((await http.get("/models")).json())
        assert (await http.get("/models/loras")).json() == ["sub/a.safetensors"]
        assert (await http.get("/models/none")).status_code == 404
        assert (await http.get("/api/embeddings")).json() == ["b"]
        library = (await http.get("/experiment/models")).json()
        assert {"name": "vae", "folders": [str(root / "vae")]} in library
        (entry,) = (await http.get("/experiment/models/loras")).json()
        size = (root / "loras/sub/a.safetensors").stat().st_size
        assert (entry["name"], entry["pathIndex"], entry["size"]) == ("sub/a.safetensors", 0, size)
        told = await http.get("/view_metadata/loras?filename=sub/a.safetensors")
        assert told.json() == {"ss_tag": "1"}
        for path in ("loras?filename=../x", "loras?filename=none.safetensors", "embeddings?filename=b.pt", "loras"):
            assert (await http.get(f"/view_metadata/{path}")).status_code == 404
