"""The plan of the house, held against the code: which way imports run, and who may import the heavy libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(p for room in ("searchsite", "encoder") for p in (ROOT / room).rglob("*.py"))
DOORS = {"admin", "views", "views_why", "tasks", "management", "urls", "health", "wsgi"}
BELOW = {  # room -> the rooms it may import
    "people": {"people"},
    "documents": {"documents", "people"},
    "index": {"index", "documents", "people"},
    "search": {"search", "index", "documents", "people"},
    "insight": {"insight", "search", "index", "documents", "people"},
}
ONLY_IN = {  # library -> where alone it may be imported
    "torch": "encoder/",
    "transformers": "encoder/",
    "faiss": "searchsite/index/stores/",
    "tantivy": ("searchsite/index/lexical.py", "searchsite/index/lexical_query.py"),
    "ir_measures": "searchsite/insight/evaluate.py",
}


@cache
def imports(path: Path) -> set[str]:
    """Every module that the file imports, anywhere in it, absolute."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_door(path: Path) -> bool:
    return bool(DOORS & {*path.relative_to(ROOT).with_suffix("").parts})


def test_imports_run_one_way() -> None:
    wrong = []
    for path in SOURCES:
        parts = path.relative_to(ROOT).parts
        used = imports(path)
        if parts[0] == "encoder":
            wrong += [f"{name_of(path)}: the encoder imports {m}" for m in used if m.startswith("searchsite")]
            continue
        if name_of(path) != "searchsite/index/backends.py":
            uses_encoder = {m for m in used if m.split(".")[0] == "encoder" and not m.endswith("EncoderError")}
            wrong += [f"{name_of(path)} imports {m}" for m in uses_encoder]
        if len(parts) > 2 and parts[1] in BELOW and not is_door(path):
            rooms = {m.split(".")[1] for m in used if m.startswith("searchsite.") and m.split(".")[1] in BELOW}
            wrong += [f"{name_of(path)} imports {room}" for room in rooms - BELOW[parts[1]]]
    assert not wrong


def test_no_room_imports_a_door() -> None:
    wrong = [
        f"{name_of(path)} imports {m}"
        for path in SOURCES
        if not (is_door(path) or path.name == "apps.py")
        for m in imports(path)
        if m.startswith("searchsite.") and DOORS & set(m.split("."))
    ]
    assert not wrong


def test_heavy_libraries_stay_in_their_place() -> None:
    wrong = [
        f"{library} is imported by {name_of(path)}"
        for path in SOURCES
        for library, place in ONLY_IN.items()
        if library in {m.split(".")[0] for m in imports(path)} and not name_of(path).startswith(place)
    ]
    assert len(SOURCES) > 200
    assert not wrong


def test_starting_django_loads_no_heavy_library() -> None:
    code = (
        "import sys, django; django.setup()\n"
        "from django.urls import get_resolver; get_resolver().url_patterns\n"
        "from django.contrib import admin; admin.site.urls\n"
        "heavy = 'torch transformers faiss tokenizers trafilatura tantivy rjieba opencc Stemmer ir_measures'\n"
        "print([m for m in heavy.split() if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env={**__import__("os").environ, "DJANGO_SETTINGS_MODULE": "searchsite.settings"},
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert loaded == "[]"


def test_modules_stay_small() -> None:
    long = {
        name_of(p): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 350 and "migrations" not in p.parts
    }
    assert not long


def test_every_setting_is_documented() -> None:
    from searchsite import environment

    readme = (ROOT / "README.md").read_text()
    code = " ".join(path.read_text() for path in SOURCES)
    import re

    named = (
        {name for name in environment.asked if not name.startswith("SOME_")}
        | set(re.findall(r"environment\.\w+\(\s*\"([A-Z_]+)\"", code))
        | {"SEARCHSITE_ENV_FILE"}
    )
    missing = {name for name in named if f"`{name}`" not in readme}
    assert len(named) > 20
    assert not missing, f"not in README.md: {sorted(missing)}"
