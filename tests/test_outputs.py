"""Outputs: whole or not at all, through links and devices, and over no input."""

import errno
import os
import threading
from pathlib import Path

import pytest

from deepfake_ssat.errors import OutputError
from deepfake_ssat.outputs import (
    check_different,
    check_file,
    make_folder,
    room_needed,
    user_folder,
    whole_file,
    write_file,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_is_replaced_as_a_whole(tmp_path):
    file = tmp_path / "new" / "a.json"
    write_file(file, b"first")
    write_file(file, b"2")
    assert file.read_bytes() == b"2"
    assert names(file.parent) == ["a.json"]


def test_failed_writing_leaves_what_was_there(tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(b"old")

    def fail_half_way():
        with whole_file(file) as unfinished:
            unfinished.write_bytes(b"ne")
            raise ValueError

    with pytest.raises(ValueError):
        fail_half_way()
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").mkdir()
    file, link = tmp_path / "real" / "a.json", tmp_path / "link.json"
    for content in (b"through a dangling link", b"through a link"):
        link.unlink(missing_ok=True)
        link.symlink_to(Path("real", "a.json"))
        write_file(link, content)
        assert link.is_symlink()
        assert file.read_bytes() == content
    assert names(tmp_path / "real") == ["a.json"]


def test_link_to_itself_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="leads back to itself"):
        write_file(tmp_path / "a", b"x")
    assert (tmp_path / "a").is_symlink()


def test_device_is_written_to_and_stays(tmp_path):
    for device in (Path("/dev/null"), tmp_path / "link"):
        if device.name == "link":
            device.symlink_to("/dev/null")
        check_file(device)
        write_file(device, b"x")
    assert Path("/dev/null").is_char_device()
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_full_device_is_one_line():
    with pytest.raises(OutputError, match=r"/dev/full cannot be written \(No space left on device\)"):
        write_file(Path("/dev/full"), b"x" * 100_000)
    assert Path("/dev/full").is_char_device()


def test_disk_without_room_is_told_from_what_else_the_system_refuses():
    told = r"runs/a cannot be written \(Read-only file system\); make room"
    with pytest.raises(OutputError, match=told), room_needed("runs/a"):
        raise OSError(errno.EROFS, "told otherwise", "/dev/sda1")
    with pytest.raises(PermissionError), room_needed("runs/a"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_pipe_is_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_file(pipe, b"through it")
    reader.join(timeout=10)
    assert read == [b"through it"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_is_printed_to(name, capsysbinary):
    check_file(Path(name), may_print=True)
    write_file(Path(name), b"\xffbytes")
    assert capsysbinary.readouterr().out == b"\xffbytes"
    with pytest.raises(OutputError, match="not printed"):
        check_file(Path(name))


@pytest.mark.parametrize("kind", ["itself", "other spelling", "symlink", "hard link"])
def test_input_is_refused_whatever_it_is_called(tmp_path, kind):
    (tmp_path / "folder").mkdir()
    video, other = tmp_path / "x.mp4", tmp_path / "y.mp4"
    video.write_bytes(b"precious")
    if kind == "itself":
        other = video
    elif kind == "other spelling":
        other = tmp_path / "folder" / ".." / "x.mp4"
    elif kind == "symlink":
        other.symlink_to(video)
    else:
        other.hardlink_to(video)
    with pytest.raises(OutputError, match=r"is the input .*x\.mp4 itself"):
        check_file(other, [tmp_path / "absent.mp4", video])


def test_file_needs_its_folder_and_is_none(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"its folder .*absent does not exist; make it"):
        check_file(tmp_path / "absent" / "x.csv")
    with pytest.raises(OutputError, match="does not exist"):
        check_file(tmp_path / "file" / "x.csv")
    with pytest.raises(OutputError, match="is a folder; give a file"):
        check_file(tmp_path)
    assert names(tmp_path) == ["file"]


def test_what_may_not_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "x.csv").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for output in (tmp_path / "x.csv", tmp_path / "new.csv"):
        with pytest.raises(OutputError, match="may not be written; give another file"):
            check_file(output)
    with pytest.raises(OutputError, match="may not be written; give another folder"):
        make_folder(tmp_path)


def test_two_options_may_not_write_one_file(tmp_path):
    (tmp_path / "link").symlink_to("x")
    with pytest.raises(OutputError, match=r"--json and --csv both write .*; give two files"):
        check_different({"--json": tmp_path / "x", "--report": None, "--csv": tmp_path / "link"})
    with pytest.raises(OutputError, match="--json and --csv cannot both print"):
        check_different({"--json": Path("-"), "--csv": Path("/dev/stdout")})
    check_different({"--json": Path("/dev/null"), "--csv": Path("/dev/null")})


def test_folder_is_made_unless_it_is_a_file_or_an_input(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(OutputError, match="is a file; give a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(OutputError, match="is the input"):
        make_folder(tmp_path / "link", [tmp_path / "a"])


def test_file_of_the_longest_name_is_written(tmp_path):
    file = tmp_path / ("ä" * 127 + "a")
    write_file(file, b"1")
    assert file.read_bytes() == b"1"
    assert names(tmp_path) == [file.name]


def test_standard_output_that_is_closed_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(OutputError, match="standard output is closed; give a file"):
        check_file(Path("-"), may_print=True)


def test_user_without_a_home_folder_is_told_the_variable(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr("deepfake_ssat.outputs.Path.home", no_home)
    with pytest.raises(OutputError, match="no home folder; set XDG_STATE_HOME"):
        user_folder("XDG_STATE_HOME", ".local/state")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert user_folder("XDG_STATE_HOME", ".local/state") == Path("/state/deepfake-ssat")


def test_file_system_without_locks_is_told_as_such(tmp_path):
    with pytest.raises(OutputError, match="locks no files"), room_needed(tmp_path):
        raise OSError(errno.ENOLCK, "No locks available")
