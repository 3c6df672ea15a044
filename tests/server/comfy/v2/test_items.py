from server.comfy.v2.items import items, items_of, place_of
from server.jobs.records import Job

FILE = {"filename": "a.mp4", "subfolder": "sub", "type": "temp", "kind": "video"}


def test_files_come_before_notes_and_none_is_left_out_but_marks():
    shown = {"files": [FILE], "notes": {"animated": [True], "text": ["hello"], "sizes": [{"w": 1}]}}
    found = items_of("j", "12:5", shown)
    assert [(item.name, item.kind, item.content_type, item.place) for item in found] == [
        ("a.mp4", "video", "video/mp4", "sub/a.mp4 [temp]"),
        ("12:5_text_1.txt", "text", "text/plain", None),
        ("12:5_sizes_2.json", "text", "application/json", None),
    ]
    assert [item.content for item in found] == [b"", b"hello", b'{"w": 1}']


def test_an_id_says_where_it_comes_from_and_nothing_else_is_one():
    (item,) = items_of("j/ä.1", "2", {"files": [FILE], "notes": {}})
    assert place_of(item.id) == ("j/ä.1", "2", 0)
    for strange in ("", "x", "W10", "WzEsIDIsIDNd", "bnVsbA", "eyJhIjogMX0", "\ud800", "é" * 9, "[" * 5000):
        assert place_of(strange) is None


def test_outputs_are_in_the_order_of_the_targets():
    shown = {"files": [], "notes": {"text": ["x"]}}
    job = Job("j", "succeeded", 0, 1.0, 0.0, ("1", "2", "9"), outputs={"3": shown, "2": shown, "1": shown})
    assert [item.node for item in items(job)] == ["1", "2", "3"]
