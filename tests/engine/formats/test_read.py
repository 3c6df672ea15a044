"""Reading: what a file is, is found out from the file."""

import json
import struct
import zlib

import pytest

from engine.errors import FileError, WorkflowError
from engine.formats import load, read
from tests.engine.formats.build import CATALOGUE, NOON, node, saved

SAVED = saved([node(1, "Empty", [64, 32])])
API = {"1": {"class_type": "Empty", "inputs": {"width": 8, "height": 8}, "_meta": {"title": "Small", "other": 1}}}


def png(*chunks):
    body = b"".join(
        struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", bytes(13)), *chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + body


def text_chunk(key, value):
    return b"tEXt", key.encode() + b"\0" + json.dumps(value).encode("latin-1")


def tiff(strings, endian="<"):
    """Return a TIFF block whose first directory holds ASCII strings."""
    entries, heap = b"", b""
    heap_at = 8 + 2 + 12 * len(strings) + 4
    for index, string in enumerate(strings):
        raw = string.encode() + b"\0"
        entries += struct.pack(endian + "HHII", 0x010F + index, 2, len(raw), heap_at + len(heap))
        heap += raw
    mark = b"II" if endian == "<" else b"MM"
    head = mark + struct.pack(endian + "HI", 42, 8) + struct.pack(endian + "H", len(strings))
    return head + entries + bytes(4) + heap


def webp(exif):
    chunks = b"VP8X" + struct.pack("<I", 10) + bytes(10) + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def jpeg(exif):
    body = b"Exif\0\0" + exif
    return (
        b"\xff\xd8\xff\xe0"
        + struct.pack(">H", 4)
        + b"JF\xff\xe1"
        + struct.pack(">H", len(body) + 2)
        + body
        + b"\xff\xda"
    )


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


def mp4(texts):
    keys = b"".join(box(b"mdta", name.encode()) for name in texts)
    items = b"".join(
        box(struct.pack(">I", index), box(b"data", struct.pack(">II", 1, 0) + text.encode()))
        for index, text in enumerate(texts.values(), 1)
    )
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    meta = box(b"meta", handler + box(b"keys", struct.pack(">II", 0, len(texts)) + keys) + box(b"ilst", items))
    return box(b"ftyp", b"isom" + bytes(4)) + box(b"mdat", bytes(100)) + box(b"moov", box(b"udta", meta))


def itunes(comment):
    data = box(b"data", struct.pack(">II", 1, 0) + comment.encode())
    meta = box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + box(b"ilst", box(b"\xa9cmt", data)))
    return box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", box(b"udta", meta))


def element(kind, body):
    return bytes.fromhex(kind) + struct.pack(">Q", len(body) | 1 << 56) + body


def webm(texts):
    tags = b"".join(
        element("67c8", element("45a3", name.upper().encode()) + element("4487", text.encode()))
        for name, text in texts.items()
    )
    segment = element("1549a966", bytes(20)) + element("1254c367", element("7373", element("63c0", b"") + tags))
    return element("1a45dfa3", bytes(4)) + bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7 + segment


BOTH = {"prompt": json.dumps(API), "workflow": json.dumps(SAVED)}
PREFIXED = [f"{key}:{value}" for key, value in BOTH.items()]

CARRIERS = {
    "png": png(text_chunk("prompt", API), text_chunk("workflow", SAVED)),
    "webp": webp(tiff(PREFIXED)),
    "jpeg": jpeg(tiff(PREFIXED, ">")),
    "mp4": mp4(BOTH),
    "webm": webm(BOTH),
}


@pytest.mark.parametrize("container", CARRIERS)
def test_both_formats_in_pictures_and_videos(container):
    found = read(CARRIERS[container])
    assert (found.api, found.saved, found.container) == (API, SAVED, container)


@pytest.mark.parametrize("container", CARRIERS)
def test_cut_anywhere_a_file_is_read_or_refused(container):
    whole = CARRIERS[container]
    for end in range(0, len(whole), 3):
        try:
            found = read(whole[:end])
        except WorkflowError:
            continue
        assert found.api is not None or found.saved is not None


def test_compressed_and_international_texts():
    packed = zlib.compress(json.dumps(SAVED).encode())
    assert read(png((b"zTXt", b"workflow\0\0" + packed))).saved == SAVED
    assert read(png((b"iTXt", b"workflow\0\1\0\0\0" + packed))).saved == SAVED
    assert read(png((b"iTXt", b"workflow\0\0\0en\0\0" + json.dumps(SAVED).encode()))).saved == SAVED


def test_a_text_that_inflates_without_end_is_passed_over(monkeypatch):
    monkeypatch.setattr("engine.formats.png.MAX_TEXT_BYTES", 1_000)
    bomb = zlib.compress(b" " * 100_000 + json.dumps(SAVED).encode())
    with pytest.raises(WorkflowError, match="carries no workflow"):
        read(png((b"zTXt", b"workflow\0\0" + bomb)))


@pytest.mark.parametrize("prompt", [API, json.dumps(API)])
def test_a_comment_with_both_formats(prompt):
    found = read(itunes(json.dumps({"prompt": prompt, "workflow": SAVED})))
    assert (found.api, found.saved) == (API, SAVED)


def test_a_damaged_text_gives_way_to_a_whole_one():
    damaged = (b"tEXt", b"prompt\0{")
    assert read(png(damaged, text_chunk("workflow", SAVED))).saved == SAVED
    with pytest.raises(WorkflowError, match="prompt in The data is not JSON"):
        read(png(damaged))


@pytest.mark.parametrize(
    "value",
    [
        API,
        {"prompt": API},
        {"prompt": API, "client_id": "x", "extra_data": {"extra_pnginfo": {"workflow": SAVED}}},
        {"output": API, "workflow": SAVED},
    ],
)
def test_api_graphs_and_what_wraps_them(value):
    found = read(json.dumps(value).encode())
    assert found.api == API
    assert found.saved in (None, SAVED)
    assert (found.saved is not None) == ("workflow" in json.dumps(value))


def test_a_path_and_a_parsed_object(tmp_path):
    path = tmp_path / "flow.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SAVED).encode())
    assert read(path).saved == read(str(path)).saved == read(SAVED).saved == SAVED


def test_numbers_that_json_does_not_have_are_null():
    text = (
        '{"1": {"class_type": "Empty", "inputs": {"width": NaN, "height": -Infinity, "x": 1e999}, "is_changed": [NaN]}}'
    )
    loaded = load(text.encode(), CATALOGUE)
    assert loaded.prompt == {"1": {"class_type": "Empty", "inputs": {"width": None, "height": None, "x": None}}}


def test_half_surrogate_pairs_are_replaced():
    loaded = load(b'{"1": {"class_type": "Text", "inputs": {"text": "a\\ud800b"}}}', CATALOGUE)
    assert loaded.prompt["1"]["inputs"] == {"text": "a\ufffdb"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"{", "is not JSON"),
        (b"hello", "is not JSON"),
        (b"[]", "holds no workflow"),
        (b"[1, 2]", "holds no workflow"),
        (b"{}", "holds no workflow"),
        (b"3", "holds no workflow"),
        (b'{"a": {"b": 1}}', "holds no workflow"),
        (b"[" * 100_000, "is nested too deep"),
        (b"9" * 5_000, "is not JSON"),
        (b"\x7fELF" + bytes(60), "neither JSON nor a known picture"),
        (png(), "carries no workflow"),
        (png((b"tEXt", b"parameters\0steps: 20")), "carries no workflow"),
        (webp(tiff(["made by hand"])), "carries no workflow"),
    ],
)
def test_what_is_no_workflow_is_one_error_that_says_what_to_do(data, says):
    with pytest.raises(WorkflowError, match=says) as caught:
        read(data)
    assert caught.value.expected


def test_too_large(monkeypatch):
    monkeypatch.setattr("engine.formats.jsontext.MAX_JSON_BYTES", 10)
    with pytest.raises(WorkflowError, match="too large"):
        read(json.dumps(SAVED).encode())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match="can't be opened"):
        read(tmp_path / "none.json")
    with pytest.raises(FileError, match="can't be opened") as caught:
        read(tmp_path)
    assert "loomis check" in (caught.value.hint or "")


def test_a_picture_runs_as_it_ran_and_keeps_its_document():
    loaded = load(CARRIERS["png"], CATALOGUE, now=NOON)
    assert loaded.prompt == {"1": {**API["1"], "_meta": {"title": "Small"}}}
    assert (loaded.saved, loaded.format, loaded.container) == (SAVED, "api", "png")


@pytest.mark.parametrize(("version", "name"), [(0.4, "saved-0.4"), (1, "saved-1"), (None, "saved-0.4")])
def test_saved_documents_of_either_schema(version, name):
    loaded = load({**SAVED, "version": version}, CATALOGUE, now=NOON)
    assert loaded.format == name
    assert loaded.prompt["1"]["inputs"] == {"width": 64, "height": 32}


def test_entries_that_are_no_nodes_are_reported():
    loaded = load(
        {**API, "2": {"class_type": None, "inputs": {"UNKNOWN": 1}}, "v": 3, "4": {"class_type": "Alien"}}, CATALOGUE
    )
    assert loaded.prompt.keys() == {"1", "4"}
    assert [(item.code, item.node) for item in loaded.diagnostics] == [
        ("bad_node", "2"),
        ("bad_node", "v"),
        ("unknown_node", "4"),
    ]
