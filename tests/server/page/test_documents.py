import base64
import hashlib
import re

import pytest

from server.page.documents import STATIC, policy


@pytest.mark.parametrize("name", ["index.html", "login.html", "editor.html"])
def test_a_page_loads_nothing_from_elsewhere(name: str):
    text = (STATIC / name).read_text()
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == []
    assert re.findall(r"\son\w+=|style=|javascript:", text) == []


def test_the_scripts_load_nothing_from_elsewhere():
    for file in [*STATIC.rglob("*.js"), *STATIC.rglob("*.css")]:
        assert re.findall(r"https?://|@import|url\(", file.read_text()) == [], file.name


def test_a_policy_allows_what_the_document_holds_and_nothing_else():
    allowed = policy("<style>a{}</style><script src='x'></script><script type=module>go()</script>")
    digest = base64.b64encode(hashlib.sha256(b"go()").digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in allowed
    assert allowed.count("sha256-") == 2
    assert "unsafe" not in allowed and "default-src 'none'" in allowed
