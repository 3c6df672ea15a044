import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.security.hosts import is_address, is_loopback, party, same_place, split_host, split_origin


@pytest.mark.parametrize(("text", "host"), [
    ("localhost", ("localhost", None)),
    ("LocalHost.:8188", ("localhost", 8188)),
    ("[::1]:80", ("::1", 80)),
    ("127.0.0.1:65535", ("127.0.0.1", 65535)),
    ("", None),
    ("a b", None),
    ("localhost:", None),
    ("localhost:80:80", None),
    ("user@localhost", None),
    ("localhost/evil.example", None),
    ("local\nhost", None),
    ("localhost:\u0661", None),
])  # fmt: skip
def test_a_host_header_is_a_name_and_a_port(text, host):
    assert split_host(text) == host


def test_a_name_that_is_too_long_is_none():
    assert split_host("a" * 260) == ("a" * 260, None)
    assert split_host("a" * 261) is None and split_origin("http://" + "a" * 261) is None


@pytest.mark.parametrize("origin", ["null", "", "localhost", "file://", "ftp://localhost", "http://a/b", "http://"])
def test_what_is_no_origin(origin):
    assert split_origin(origin) is None
    assert not same_place(origin, "localhost")


@pytest.mark.parametrize(("origin", "host", "same"), [
    ("http://localhost:8188", "localhost:8188", True),
    ("http://localhost", "localhost:80", True),
    ("https://example.org", "example.org:443", True),
    ("https://example.org", "example.org", True),
    ("http://localhost:8189", "localhost:8188", False),
    ("http://127.0.0.1:8188", "localhost:8188", False),
    ("http://localhost.evil.example:8188", "localhost:8188", False),
])  # fmt: skip
def test_an_origin_is_the_host_when_name_and_port_are_equal(origin, host, same):
    assert same_place(origin, host) is same


@pytest.mark.parametrize(("name", "loopback"), [
    ("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
    ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("localhost.evil.example", False),
    ("example.org", False), ("127.0.0.1.evil.example", False), ("2130706433", False), ("0x7f.1", False),
])  # fmt: skip
def test_what_always_means_this_machine(name, loopback):
    assert is_loopback(name) is loopback


@given(st.ip_addresses())
def test_every_address_is_one_and_belongs_to_one_party(address):
    assert is_address(str(address))
    assert party(str(address)) == (str(address) if address.version == 4 else party(party(str(address))[:-3]))


def test_addresses_of_one_network_are_one_party():
    assert party("2001:db8::1") == party("2001:db8::ffff:2") != party("2001:db8:0:1::1")


@given(st.text())
def test_any_text_is_split_or_refused(text):
    for split in (split_host, split_origin):
        split(text)
