from pathlib import Path
from urllib.parse import quote

import pytest

from tests.server.comfy.online import client, run
from tests.server.words import shown

pytestmark = pytest.mark.anyio

ODD = "projects/fox 1?#%2F\n\\é"


async def test_any_text_is_an_id_by_which_its_job_is_found(tmp_path: Path):
    async with client(tmp_path) as (http, services):
        await run(http, services, shown(1), prompt_id=ODD)
        own = quote(ODD, safe="")
        assert list((await http.get(f"/history/{own}")).json()) == [ODD]
        for path in ("/api/jobs", "/api/v1/jobs", "/api/v2/jobs"):
            assert (await http.get(f"{path}/{own}")).json()["id"] == ODD
        for path in ("/api/v1/jobs", "/api/v2/jobs"):
            assert (await http.get(f"{path}/{own}/workflow")).json()["workflow"] == shown(1)
        urls = (await http.get(f"/api/v2/jobs/{own}")).json()["urls"]
        assert (await http.get(urls["self"])).json()["id"] == ODD
        assert (await http.post(f"/api/jobs/{own}/cancel")).json() == {"cancelled": False}
        assert (await http.get(f"/api/v1/jobs/{own}/events?limit=1")).json()["events"][0]["job"] == ODD
        assert (await http.delete(f"/api/v1/jobs/{own}")).status_code == 204
        assert (await http.get(f"/history/{own}")).json() == {}
