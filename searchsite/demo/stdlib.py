"""The documentation that Python carries, read from the interpreter that runs this: one document a module or topic.

Nothing of it is copied into the project. The language topics are those of `help("TOPICS")`; the modules are described
by their docstrings, signatures and public methods.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
import sys
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SHORT = 20  # characters: a docstring shorter than this says no more than the name
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
UNDERLINE = re.compile(r"^(?P<title>\S.*)\n(?P<line>([*=\-~^\"])\3{2,})\s*$", re.MULTILINE)
FORMED = re.compile(r"\A(?: {2,}|>>> |\S+ +- |[-*+] |\d+[.)] |[|+])|\n {2,}\S")  # examples, lists, tables
MARKS = re.compile(
    r"([\\`*_{}\[\]<>#|~&!$]|^[ ]*(?:=+|-[- ]*-)[ ]*$)", re.MULTILINE
)  # the last: a rule, or an underline
FENCE = "~~~~"
LEVELS = {"*": 1, "=": 2, "-": 3, "~": 4, "^": 4, '"': 4}
# Importing these does something, needs a display, or concerns nobody who writes a program.
LEFT_OUT = {
    "__main__", "antigravity", "ensurepip", "idlelib", "lib2to3", "msilib", "nt", "posix", "pydoc_data", "pyclbr",
    "sre_compile", "sre_constants", "sre_parse", "test", "this", "tkinter", "turtle", "turtledemo", "winreg",
    "winsound", "encodings", "genericpath", "posixpath", "ntpath", "nturl2path", "opcode", "xxlimited", "xxsubtype",
}  # fmt: skip
SUBMODULES = (
    "collections.abc", "concurrent.futures", "email.message", "email.policy", "email.utils", "html.parser",
    "http.client", "http.cookiejar", "http.cookies", "http.server", "importlib.metadata", "importlib.resources",
    "importlib.util", "json.tool", "logging.config", "logging.handlers", "multiprocessing.connection",
    "multiprocessing.pool", "multiprocessing.shared_memory", "os.path", "unittest.mock", "urllib.error", "urllib.parse",
    "urllib.request", "urllib.robotparser", "wsgiref.simple_server", "xml.dom.minidom", "xml.etree.ElementTree",
    "xml.sax", "xmlrpc.client", "xmlrpc.server", "zoneinfo",
)  # fmt: skip


class _NotShown:
    """Stands for the default of a parameter in a signature."""

    def __repr__(self) -> str:
        return "..."


NOT_SHOWN = _NotShown()


@dataclass(frozen=True)
class DemoDocument:
    """A document to load: a key that stays the same, a title, and its text in Markdown."""

    key: str
    title: str
    text: str


def documents() -> Iterator[DemoDocument]:
    """All of it, in the same order each time."""
    yield from topics()
    described: set[int] = set()
    for name in module_names():
        if document := module_document(name, described):
            yield document


def topics() -> Iterator[DemoDocument]:
    """The language topics of pydoc. Each is plain text whose headings are underlined."""
    from pydoc_data.topics import topics as texts  # type: ignore[import-not-found,unused-ignore]

    for key in sorted(texts):
        lines = texts[key].strip()
        first = UNDERLINE.search(lines)
        title = first["title"].replace('"', "") if first and first.start() == 0 else key.replace("-", " ")
        yield DemoDocument(f"topic-{key}", f"Python: {title}", as_markdown(lines))


def as_markdown(topic: str) -> str:
    """Underlined headings as Markdown ones; every other line stays text, its own marks escaped."""
    parts: list[str] = []
    at = 0
    for match in UNDERLINE.finditer(topic):
        parts += [escaped(topic[at : match.start()]), f"{'#' * LEVELS[match['line'][0]]} {literal(match['title'])}\n"]
        at = match.end()
    return "\n".join([*parts, escaped(topic[at:])])


def module_names() -> list[str]:
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")} - LEFT_OUT
    return sorted(public | set(SUBMODULES))


def module_document(name: str, described: set[int]) -> DemoDocument | None:
    """A module's documentation; None where it cannot be imported here or says nothing.

    `described` holds the ids of the objects that other modules' documents describe already, and is added to.
    """
    module = _import(name)
    if module is None:
        return None
    parts = [f"# {name}", _doc(module)]
    for public, thing in _public(module):
        if id(thing) in described:
            continue
        described.add(id(thing))
        if inspect.isclass(thing):
            parts += _class_parts(f"{name}.{public}", thing)
        elif callable(thing):
            parts += _entry(2, f"{name}.{public}", thing)
    text = "\n\n".join(part for part in parts if part)
    return DemoDocument(name, name, text + "\n") if len(parts) > 2 or parts[1] else None


def _import(name: str) -> types.ModuleType | None:
    quiet = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except (ImportError, OSError, AttributeError):  # of another platform, or built without its library
            return None


def _public(module: types.ModuleType) -> list[tuple[str, Any]]:
    """The module's own public names, sorted: those of `__all__`, else what says that it was defined there."""
    listed = getattr(module, "__all__", None)
    names = sorted(set(listed)) if listed else sorted(name for name in vars(module) if not name.startswith("_"))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            thing = getattr(module, name, None)
            if inspect.ismodule(thing) or not callable(thing):
                continue
            home = getattr(thing, "__module__", None) or module.__name__
            # What a private module makes ("_sqlite3", "_bisect") is public here.
            if listed or home == module.__name__ or home.startswith("_"):
                found.append((name, thing))
    return found


def _class_parts(dotted: str, cls: type) -> list[str]:
    # Some describe themselves where they are made.
    parts = _entry(2, dotted, cls) or _entry(2, dotted, vars(cls).get("__init__"), _signature(cls))
    name = dotted.rpartition(".")[2]
    for method, thing in sorted(vars(cls).items()):
        function = thing.__func__ if isinstance(thing, classmethod | staticmethod) else thing
        if not method.startswith("_") and (inspect.isroutine(function) or isinstance(function, property)):
            parts += _entry(3, f"{name}.{method}", function)
    return parts


def _entry(level: int, name: str, thing: Any, signature: str | None = None) -> list[str]:
    """A heading with the signature, and the docstring; nothing where there is no docstring worth the name."""
    doc = _doc(thing)
    if len(doc) < SHORT:
        return []
    signature = _signature(thing) if signature is None else signature
    return [f"{'#' * level} {literal(name + signature)}", doc]


def _signature(thing: Any) -> str:
    if isinstance(thing, property):
        return ""
    try:
        signature = inspect.signature(thing)
    except (ValueError, TypeError, AttributeError):  # builtins without one, or with one that cannot be evaluated
        return "()" if not inspect.isclass(thing) else ""
    parameters = [
        p if p.default is p.empty or _is_literal(p.default) else p.replace(default=NOT_SHOWN)
        for p in signature.parameters.values()
    ]
    return ADDRESS.sub("", " ".join(str(signature.replace(parameters=parameters)).split()))[:200]


def _is_literal(value: Any) -> bool:
    """Whether a default may be shown. Others say what this process holds: that of `environ=os.environ` has secrets."""
    if type(value) is tuple:
        return all(_is_literal(item) for item in value)
    return value is None or type(value) in (bool, int, float, complex, str, bytes)


def _doc(thing: Any) -> str:
    doc = getattr(thing, "__doc__", None)
    if not isinstance(doc, str) or (inspect.isclass(thing) and "__doc__" not in vars(thing)):
        return ""
    doc = inspect.cleandoc(doc)
    return "" if doc.startswith("str(object=''") and thing is not str else escaped(doc)


def escaped(text: str) -> str:
    """Plain text as Markdown that says the same: its marks escaped.

    Paragraphs stay paragraphs. Examples, lists and tables keep their form: they are fenced.
    """
    blocks: list[str] = []
    for block in re.split(r"\n[ \t]*\n", text.strip("\n").replace("\t", "    ")):
        if not FORMED.search(block):
            blocks.append(literal(block))
        elif blocks and blocks[-1].endswith(FENCE):  # goes on where the block before ended
            blocks[-1] = f"{blocks[-1].removesuffix(FENCE)}\n{block}\n{FENCE}"
        else:
            blocks.append(f"{FENCE}\n{block}\n{FENCE}")
    return "\n\n".join(blocks)


def literal(text: str) -> str:
    """A line or paragraph with a backslash before all that is a mark in Markdown."""
    return MARKS.sub(lambda mark: mark[1].replace(mark[1].strip(), "\\" + mark[1].strip()), text)
