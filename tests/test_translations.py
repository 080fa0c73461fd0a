"""Every text has its Chinese translation, what is compiled is what is written, and no text goes without gettext."""

from __future__ import annotations

import ast
import gettext
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.template.base import Lexer, TokenType
from django.utils.translation import override

from searchsite import encoder_sentences

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
        assert known(fresh) == known(polib.pofile(str(path))), "make messages"


def known(catalogue: polib.POFile) -> set[tuple[str | None, str]]:
    return {(entry.msgctxt, entry.msgid) for entry in catalogue}


# --- templates ------------------------------------------------------------------------------------------------------

TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.*") if path.suffix in (".html", ".txt", ".svg"))
LETTERS = re.compile(r"[^\W\d_]{2,}")
SAID = {"alt", "aria-label", "aria-description", "label", "placeholder", "summary", "title"}  # attributes
NOT_SAID = {"code", "pre", "script", "style", "var"}
# Names that are the same in every language: figures of the field, and names in code and style sheets.
NAMES = {"nDCG@10", "RR@10", "R@10", "dtype", "requires_grad", "light dark"}
CLASSES = {"block page", "block bodyclass", "block coltype"}  # blocks that hold names for style sheets
DEFAULTS = re.compile(r"""(?:default|default_if_none|yesno|pluralize|add):["']([^"']*)["']""")
ENTITIES = re.compile(r"&\w+;")


class Words(HTMLParser):
    """Collects what a page would say: its texts, and the attributes that are read aloud or shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in NOT_SAID:
            self.within.append(tag)
        shown = {"value"} if dict(attrs).get("type") in ("submit", "button") else set()
        self.found += [value for name, value in attrs if value and name in SAID | shown]

    def handle_endtag(self, tag: str) -> None:
        if self.within and self.within[-1] == tag:
            self.within.pop()

    def handle_data(self, data: str) -> None:
        if not self.within:
            self.found.append(data)


def without_gettext(source: str) -> list[str]:
    """What a template says in words of its own, outside {% translate %} and {% blocktranslate %}."""
    plain, inside, literals = [], "", []
    for token in Lexer(source).tokenize():
        name = token.contents.split(maxsplit=1)[0] if token.contents.strip() else ""
        if token.token_type == TokenType.BLOCK and name in ("blocktranslate", "blocktrans", "comment"):
            inside = f"end{name}"
        elif token.token_type == TokenType.BLOCK and token.contents in CLASSES:
            inside = "endblock"
        elif token.token_type == TokenType.BLOCK and name == inside:
            inside = ""
        elif token.token_type == TokenType.TEXT and not inside:
            plain.append(token.contents)
        elif token.token_type == TokenType.VAR:
            literals += DEFAULTS.findall(token.contents)
    words = Words()
    words.feed("".join(plain))
    said = [text.strip() for text in [*words.found, *literals]]
    return [text for text in said if text not in NAMES and LETTERS.search(ENTITIES.sub("", text))]


def test_a_template_without_gettext_is_found_out():
    assert without_gettext('{% translate "Yes" %}<p title="{% translate \'Yes\' %}">{{ a }}</p><code>abc</code>') == []
    assert without_gettext("{% blocktranslate %}Yes{% plural %}Yes{% endblocktranslate %}{# no #} &nbsp;%") == []
    assert without_gettext('<p title="Right">{% if a %}No{% endif %}</p>') == ["Right", "No"]
    assert without_gettext('<input type="submit" value="Send">{{ a|default:"none" }}') == ["Send", "none"]


def test_templates_say_nothing_without_gettext():
    said = {path: without_gettext(path.read_text(encoding="utf-8")) for path in TEMPLATES}
    assert len(said) > 50
    assert {path: texts for path, texts in said.items() if texts} == {}


# --- code -----------------------------------------------------------------------------------------------------------

# What Django shows of these is seen by people. Commands and settings speak to whoever runs the site, in English.
SHOWN = {"description", "empty_label", "help_text", "label", "title", "verbose_name", "verbose_name_plural"}
SAYING = {"ValidationError", "message_user"}
NOT_SHOWN = {"migrations", "management", "apps.py", "environment.py"}
CODE = [path for path in sorted((ROOT / "searchsite").rglob("*.py")) if not NOT_SHOWN & {*path.parts}]


def said_by(node: ast.AST) -> list[str]:
    """The texts that a call or an assignment gives to people as they are."""
    shown: list[ast.expr] = []
    if isinstance(node, ast.Call):
        shown = [keyword.value for keyword in node.keywords if keyword.arg in SHOWN]
        if ast.unparse(node.func).rpartition(".")[2] in SAYING or ast.unparse(node.func).startswith("messages."):
            shown += node.args
    elif isinstance(node, ast.Assign) and any(getattr(target, "id", "") in SHOWN for target in node.targets):
        shown = [node.value]
    return [ast.unparse(one) for one in shown if LETTERS.search(in_words(one))]


def in_words(node: ast.expr) -> str:
    """The words of a text that stands in the code; what is put into it may be translated."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return " ".join(str(part.value) for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


def test_code_shows_nothing_without_gettext():
    assert len(CODE) > 100
    trees = [(path, ast.parse(path.read_text())) for path in CODE]
    assert [(path, text) for path, tree in trees for node in ast.walk(tree) for text in said_by(node)] == []


# --- scripts --------------------------------------------------------------------------------------------------------

SCRIPTS = sorted((ROOT / "static").rglob("*.js"))
# A text of a script that looks like something to say: a capital and small letters, or Chinese.
SENTENCE = re.compile(r"""(["'`])((?:[A-Z][a-z]|[\u4e00-\u9fff])[^"'`\n]*)\1""")
KEYS = {"Accept", "Enter", "Escape", "Files", "Home", "End", "Tab", "Content-Type"}  # names in the browser's interfaces


def sentences_of(script: str) -> list[str]:
    code = "\n".join(line.partition(" // ")[0] for line in script.splitlines() if not line.lstrip().startswith("//"))
    said = [found[2] for found in SENTENCE.finditer(code)]
    return [text for text in said if text not in KEYS and not re.fullmatch(r"(Arrow|Page|X-|HX-)[\w-]+", text)]


def test_words_in_a_script_are_found_out():
    script = 'a.textContent = "Not sent"; // "A comment"\n// "Another"\nif (key === "ArrowUp") b = "error"'
    assert sentences_of(script) == ["Not sent"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_have_their_words_from_the_page(path):
    assert sentences_of(path.read_text(encoding="utf-8")) == []


# --- the encoder, which knows no gettext ----------------------------------------------------------------------------


def texts(node: ast.expr) -> list[str]:
    """What a text may be, with something in its places."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(part.value if isinstance(part, ast.Constant) else "X1" for part in parts)]
        case ast.BinOp(left=left, right=right):
            return [one + other for one in texts(left) for other in texts(right)]
        case ast.IfExp(body=body, orelse=orelse):
            return texts(body) + texts(orelse)
    raise AssertionError(f"what is said here? {ast.unparse(node)}")


def errors_of_the_encoder() -> list[str]:
    calls = [
        node
        for path in sorted((ROOT / "encoder").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "EncoderError"
    ]
    return [text for call in calls for text in texts(call.args[0])]


@pytest.mark.parametrize("sentence", errors_of_the_encoder())
def test_sentences_of_the_encoder_are_said_in_the_readers_language(sentence):
    with override("zh-hans"):
        said = encoder_sentences.translated(sentence)
    assert re.search(r"[\u4e00-\u9fff]", said), "searchsite/encoder_sentences.py does not know it"
    assert said.count("X1") == sentence.count("X1"), said
    assert encoder_sentences.translated(sentence) == sentence


def test_each_sentence_kept_for_the_encoder_is_one_of_its():
    said = errors_of_the_encoder()
    for message in encoder_sentences.SENTENCES:
        form = re.compile(encoder_sentences.pattern(message), re.DOTALL)
        assert any(form.fullmatch(sentence) for sentence in said), message


def test_a_sentence_with_names_that_look_like_anything_is_known_again():
    sentence = "There is no folder /srv/models/50%(off)s, (again)."
    with override("zh-hans"):
        assert "/srv/models/50%(off)s, (again)" in encoder_sentences.translated(sentence)
    assert encoder_sentences.translated("") == ""
    assert encoder_sentences.translated("Something else.") == "Something else."
