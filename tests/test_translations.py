"""Every text has its Chinese translation, and what is compiled is what is written."""

from __future__ import annotations

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = sorted((ROOT / "locale").glob("*/LC_MESSAGES/django.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


def test_there_are_catalogues():
    assert [path.parts[-3] for path in CATALOGUES] == ["zh_Hans"]


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_text_is_translated(path):
    catalogue = polib.pofile(str(path))
    assert [entry.msgid for entry in catalogue.untranslated_entries()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_placeholders_survive_translation(path):
    for entry in polib.pofile(str(path)):
        for translated in [entry.msgstr] if not entry.msgid_plural else entry.msgstr_plural.values():
            original = entry.msgid_plural or entry.msgid
            assert set(PLACEHOLDER.findall(original)) == set(PLACEHOLDER.findall(translated)), entry.msgid


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_the_compiled_catalogue_is_the_written_one(path):
    with path.with_suffix(".mo").open("rb") as compiled:
        known = gettext.GNUTranslations(compiled)
    for entry in polib.pofile(str(path)):
        key = f"{entry.msgctxt}\x04{entry.msgid}" if entry.msgctxt else entry.msgid
        if entry.msgid_plural:
            for number, translated in entry.msgstr_plural.items():
                assert known._catalog[(key, number)] == translated  # type: ignore[attr-defined]
        else:
            assert known._catalog[key] == entry.msgstr  # type: ignore[attr-defined]


@pytest.mark.skipif(not shutil.which("xgettext"), reason="needs gettext's tools to collect the texts of the code")
def test_the_catalogue_holds_every_text_of_the_code(tmp_path):
    ignored = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".mypy_cache", "tests", "*.sqlite3*")
    copy = tmp_path / "site"
    shutil.copytree(ROOT, copy, ignore=ignored)
    subprocess.run(
        [sys.executable, "manage.py", "makemessages", "--locale", "zh_Hans", "--no-obsolete", "--no-location"],
        cwd=copy, check=True, capture_output=True, env={**__import__("os").environ, "SEARCHSITE_ENV_FILE": ""},
    )  # fmt: skip
    for path in CATALOGUES:
        fresh = polib.pofile(str(copy / path.relative_to(ROOT)))
        assert {entry.msgid for entry in fresh} == {entry.msgid for entry in polib.pofile(str(path))}, "make messages"
