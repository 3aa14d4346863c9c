"""Lists of labelled clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgehome.clips import ClipsError, Segment, read_clips

HEADER = "path,labels,segments,group,split\n"


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clips.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_is_a_clip(tmp_path: Path) -> None:
    path = listed(tmp_path, HEADER + 'a/one.mp4,fall; person,"Falling (BW)[6.9 to 12]",g1,val\n')
    (clip,) = read_clips(path)
    assert clip.path == tmp_path / "a/one.mp4"
    assert clip.labels == {"fall", "person"}
    assert (clip.group, clip.split) == ("g1", "val")
    assert clip.segments == (Segment("Falling (BW)", 6.9, 12.0),)


def test_path_and_labels_are_enough_and_each_clip_is_its_own_group(tmp_path: Path) -> None:
    path = listed(tmp_path, "labels,path\nfall,one.mp4\n,two.mp4\n\n")
    one, two = read_clips(path, folder=Path("/else"))
    assert (one.path, one.group, one.segments) == (Path("/else/one.mp4"), "one.mp4", ())
    assert two.labels == frozenset()


def test_when_something_is_seen_and_when_not(tmp_path: Path) -> None:
    notes = (
        "12.mp4 | 12 | Night |  Falling (BW)[1.8 to 6]; Sitting[0 to 2]; Standing [6 to 7; 7 to 8]"
    )
    path = listed(
        tmp_path, f"{HEADER}a,fall,{notes},,\nb,fall,,,\nc,normal,Falling over[0 to 1],,\n"
    )
    timed, untimed, none = read_clips(path)
    shown = [(0.0, 1.8, False), (1.8, 6.0, True), (6.0, 7.0, False), (7.0, 8.0, False)]
    assert timed.stretches("fall") == shown
    assert untimed.stretches("fall") == [(0.0, float("inf"), True)]
    assert none.stretches("fall") == [(0.0, float("inf"), False)]
    assert timed.stretches("fighting") == [(0.0, float("inf"), False)]


def test_only_one_split(tmp_path: Path) -> None:
    path = listed(tmp_path, HEADER + "a,x,,,train\nb,x,,,val\n")
    assert [clip.path.name for clip in read_clips(path, split="val")] == ["b"]
    with pytest.raises(ClipsError, match=r"split 'test'; there are: train, val"):
        read_clips(path, split="test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "clips.csv:1: no column is called path or labels; there are: nothing"),
        ("file,labels\na,b\n", "clips.csv:1: no column is called path; there are: file, labels"),
        (HEADER, "clips.csv:1: it lists no clip"),
        (HEADER + "a,b,c\n", "clips.csv:2: 3 values for 5 columns"),
        (HEADER + ",b,,,\n", "clips.csv:2: path is empty"),
        (HEADER + "a,b,,,\nc,d,Falling[1 to],,\n", "clips.csv:3: segments: '1 to' is not a time"),
        (HEADER + "a,b,Falling[3 to 1],,\n", "clips.csv:2: segments: '3 to 1'"),
        (HEADER + 'a,b,"c,,\n', "clips.csv:2: unexpected end of data"),
        (HEADER + 'a,"b"c,,,\n', "clips.csv:2: ',' expected after"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ClipsError) as caught:
        read_clips(listed(tmp_path, text))
    assert said in str(caught.value)
    assert caught.value.problem.code == "clips_invalid"


def test_all_wrong_lines_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ClipsError) as caught:
        read_clips(listed(tmp_path, HEADER + ",b,,,\na,b,,,\nx\n"))
    assert "clips.csv:2:" in str(caught.value)
    assert "clips.csv:4:" in str(caught.value)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ClipsError) as caught:
        read_clips(tmp_path / "none.csv")
    assert caught.value.problem.code == "clips_missing"
    (tmp_path / "clips.csv").write_bytes(b"path,labels\n\xff,\xfe\n")
    with pytest.raises(ClipsError, match="not a text in UTF-8"):
        read_clips(tmp_path / "clips.csv")


def test_the_clips_in_the_box_can_be_read(rendered: Path) -> None:
    listed = read_clips(rendered / "clips.csv")
    falls = [clip for clip in listed if "fall" in clip.labels]
    assert (len(listed), len(falls)) == (24, 6)
    assert all(any(shows for *_, shows in clip.stretches("fall")) for clip in falls)
    assert all(clip.path.is_file() for clip in listed)


def test_the_clips_that_the_project_is_tested_with_can_be_read(clips: Path) -> None:
    listed = read_clips(clips / "clips.csv")
    falls = [clip for clip in listed if "fall" in clip.labels]
    assert len(falls) == 14
    assert all(any(shows for *_, shows in clip.stretches("fall")) for clip in falls)
    assert all(clip.path.is_file() for clip in listed)
