"""What the page of a look into an encoder shows: a report (encoder/report.py, as JSON has it), made readable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from encoder import EncoderError
from searchsite.documents.shown import grouped
from searchsite.encoder_sentences import translated
from searchsite.index import backends

ROUNDING = 1e-5  # more than this, two ways of computing the same in float32 do not differ
NEAR_ONE, NEARER_ONE = 0.9, 0.99
LAYERS: dict[str, str | Promise] = {
    "embeddings": _("embeddings"),
    "pooler": _("pooler"),
    "head": _("head"),
    "other": _("other"),
}
Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A parameter. `note`: what is unusual about where its numbers are from."""

    name: str
    shape: str
    numbers: str
    dtype: str
    requires_grad: bool
    note: str


@dataclass(frozen=True)
class Layer:
    """The parameters of a layer; `share` of all numbers, in percent, as a length and as it is said."""

    label: str
    frozen: bool
    numbers: str
    size: str
    length: str
    share: str
    rows: list[Row]


@dataclass(frozen=True)
class Part:
    """A part of a bar that is 100 wide."""

    kind: str
    label: str
    left: str
    length: str
    share: str


@dataclass(frozen=True)
class Keys:
    """Keys that something became of, a line each."""

    label: str
    lines: list[str]


def look(name: str, text: str, how: str, frozen: list[str]) -> Json:
    """The context of the page for a look into the encoder of that name. Raises EncoderError with a sentence."""
    folder = backends.at_hand().get(name)
    if folder is None:
        raise EncoderError(_none_at_hand(name))
    return shown(backends.inspect(folder, text, how, frozen))


def _none_at_hand(name: str) -> str:
    if name == "tiny":
        return gettext("The encoder “tiny” has no files: it counts words, and there is nothing in it to look into.")
    if name == settings.SEARCHSITE_ENCODER:
        return gettext("The files of “%(name)s” are not here yet. “manage.py encoder prepare” makes them ready.") % {
            "name": name
        }
    return gettext("The folder of “%(name)s” is gone. Choose another encoder.") % {"name": name}


def shown(report: Json) -> Json:
    """A report as the page has it."""
    outputs = report["outputs"]
    return {
        "report": report,
        "refusal": translated(report["serving"]["refusal"] or ""),
        "architecture": [(name, _said(value)) for name, value in report["architecture"].items()],
        "layers": layers(report),
        "total": grouped(report["total"]["numbers"]),
        "total_size": filesizeformat(report["total"]["bytes"]),
        "trainable": grouped(report["total"]["trainable"]),
        "sequence": shape(outputs["sequence"]),
        "pooled_size": shape(outputs["pooled_output"]) if outputs["pooled_output"] else "",
        "head_size": shape(outputs["head"]) if outputs["head"] else "",
        "is_formula": outputs["pooled"] is not None and outputs["pooled"]["formula_difference"] < ROUNDING,
        "made_up": outputs["pooled"] is not None and outputs["pooled"]["weight"]["new"],
        "saturation": saturation(outputs["pooled"]) if outputs["pooled"] else [],
        "origins": origins(outputs["pooled"]) if outputs["pooled"] else [],
        "keys": keys(report["loading"]),
        "dropout": _said(report["modes"]["dropout"]),
    }


def layers(report: Json) -> list[Layer]:
    """The parameters, layer by layer, in the model's order."""
    whole = max(report["total"]["numbers"], 1)
    of_group = {group: list(rows) for group, rows in groupby(_by_group(report), key=lambda row: row["group"])}
    made = []
    for sums in report["groups"]:
        percent = 100 * sums["numbers"] / whole
        made.append(
            Layer(
                label=layer_label(sums["group"]),
                frozen=sums["group"] in report["frozen"],
                numbers=grouped(sums["numbers"]),
                size=filesizeformat(sums["bytes"]),
                length=f"{max(percent, 0.5):.2f}",
                share=f"{percent:.1f}",
                rows=[_row(row) for row in of_group[sums["group"]]],
            )
        )
    return made


def _by_group(report: Json) -> list[Json]:
    order = [sums["group"] for sums in report["groups"]]
    return sorted(report["parameters"], key=lambda row: order.index(row["group"]))


def _row(row: Json) -> Row:
    note = gettext("newly made at random") if row["new"] else ""
    if row["stored"] not in (None, row["dtype"]):
        note = gettext("%(dtype)s in the file") % {"dtype": row["stored"]}
    return Row(row["name"], shape(row["shape"]), grouped(row["numbers"]), row["dtype"], row["requires_grad"], note)


def layer_label(group: str) -> str:
    number = group.removeprefix("layer ")
    return gettext("layer %(number)s") % {"number": number} if number != group else str(LAYERS.get(group, group))


def saturation(pooled: Json) -> list[Part]:
    """How the sizes of the pooled output's numbers are shared out: up to 0.9, to 0.99, and beyond."""
    beyond, far_beyond = pooled["above_90"], pooled["above_99"]
    shares = {
        "free": (gettext("up to %(limit)s") % {"limit": NEAR_ONE}, 1 - beyond),
        "near": (gettext("from %(low)s to %(high)s") % {"low": NEAR_ONE, "high": NEARER_ONE}, beyond - far_beyond),
        "nearer": (gettext("beyond %(limit)s") % {"limit": NEARER_ONE}, far_beyond),
    }
    parts, left = [], 0.0
    for kind, (label, share) in shares.items():
        parts.append(Part(kind, label, f"{left:.2f}", f"{100 * share:.2f}", f"{100 * share:.1f}"))
        left += 100 * share
    return parts


def origins(pooled: Json) -> list[tuple[str, str, str, str]]:
    """(letter in the formula, name, shape, where its numbers are from) of the pooler's parameters."""
    rows = {"W": pooled["weight"], "b": pooled["bias"]}
    return [(letter, row["name"], shape(row["shape"]), origin(row)) for letter, row in rows.items() if row]


def origin(row: Json) -> str:
    if row["new"]:
        return gettext("newly made at random: nothing that was loaded has it")
    if row["key"] is None:
        return gettext("put together from several keys of the files")
    return gettext("from %(file)s, where its key is %(key)s") % {"file": row["file"], "key": row["key"]}


def keys(loading: Json) -> list[Keys]:
    """What became of keys that were not simply filled; kinds of which there are none are there, too."""
    other_shapes = (
        gettext("%(name)s: %(found)s in the file, %(wanted)s wanted")
        % {"name": one["name"], "found": shape(one["in_file"]), "wanted": shape(one["in_model"])}
        for one in loading["mismatched"]
    )
    kinds: dict[str, Iterable[str]] = {
        gettext("missing, newly made at random"): loading["missing"],
        gettext("of another shape, newly made at random"): other_shapes,
        gettext("unexpected, ignored"): loading["unexpected"],
        gettext("renamed"): (f"{one['key']} → {one['name']}" for one in loading["renamed"]),
        gettext("ignored for their names, which “the checkpoint” would have changed"): (
            f"{one['key']} → {one['name']}" for one in loading["not_renamed"]
        ),
    }
    return [Keys(label, list(lines)) for label, lines in kinds.items()]


def shape(sizes: Iterable[int]) -> str:
    """As torch writes a size: [1, 12, 384]."""
    return f"[{', '.join(map(str, sizes))}]"


def _said(value: Any) -> str:
    """A configuration's value as it stands there; a dash for none."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)
