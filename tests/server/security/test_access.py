import pytest

from engine.errors import SettingError
from server.security.access import UPLOADS, read_access

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_alone_needs_no_token(host):
    access = read_access(host, 8188)
    assert access.is_local
    assert access.token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_another_address_needs_one(host):
    with pytest.raises(SettingError, match="needs a token"):
        read_access(host, 8188)
    assert not read_access(host, 8188, token=TOKEN).is_local


def test_a_token_file_is_made_once_and_for_its_owner_alone(tmp_path):
    file = tmp_path / "keys" / "token"
    first = read_access("0.0.0.0", 1, token_file=file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(first.token.get_secret_value()) > 30
    assert read_access("0.0.0.0", 1, token_file=file).token == first.token


def test_a_token_file_that_others_may_read_is_refused(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o640)
    with pytest.raises(SettingError, match="Others may read"):
        read_access("127.0.0.1", 1, token_file=file)


def test_a_token_file_that_is_no_text(tmp_path):
    file = tmp_path / "token"
    file.write_bytes(b"\xff" * 20)
    file.chmod(0o600)
    for path in (file, tmp_path):
        with pytest.raises(SettingError):
            read_access("127.0.0.1", 1, token_file=path)


@pytest.mark.parametrize("token", ["short", "0123456789abcde\n", "0123456789abcdé"])
def test_a_weak_token_is_refused_and_not_repeated(token):
    with pytest.raises(SettingError) as caught:
        read_access("127.0.0.1", 1, token=token)
    assert token not in str(caught.value.as_dict())


def test_a_token_is_not_shown():
    assert TOKEN not in repr(read_access("127.0.0.1", 1, token=TOKEN))


@pytest.mark.parametrize("origin", ["*", "example.org", "null", "https://example.org/path"])
def test_an_origin_has_a_scheme_and_a_host(origin):
    with pytest.raises(SettingError, match="no origin"):
        read_access("127.0.0.1", 1, origins=[origin])


@pytest.mark.parametrize(
    ("path", "large"),
    [
        ("/upload/image", True), ("/api/upload/mask", True), ("/api/v1/files/input/a/b.png", True),
        ("/api/v2/assets", True), ("/api/v2/assets/from-hash", False), ("/upload/pack", False), ("/prompt", False),
    ],
)  # fmt: skip
def test_only_routes_that_stream_to_disk_take_large_bodies(path: str, large: bool):
    assert bool(UPLOADS.fullmatch(path)) == large
