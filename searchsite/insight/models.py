"""What was compared, and what came of it: rows that poolings.py works off."""

from __future__ import annotations

from typing import Any, TypedDict

from django.conf import settings
from django.db import models
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents.models import Collection, Job, State
from searchsite.encoder_sentences import translated

# Why nothing could be compared, and what to do about it: kept as a code and its parameters, said to whoever reads it.
MESSAGES = {
    "bad_set": _("The folder cannot be used: %(detail)s"),
    "collection_gone": _("The collection was deleted before its turn came. Choose another one."),
    "encoder": _("The encoder cannot be used: %(detail)s"),
    "gave_up": _(
        "Comparing ended the worker process or failed %(attempts)s times, so it was given up. It may need more memory "
        "than there is: compare with fewer documents, or with a smaller encoder."
    ),
    "internal": _("The site failed at it. Tell the administrator, who finds the reason in the worker's log."),
    "no_passages": _("There are fewer than two passages to choose from. Add documents, or wait until they are read."),
    "no_poolings": _(
        "The encoder “%(encoder)s” has no tokens' states to be pooled. Name another one, such as e5-small or minilm."
    ),
    "no_sentences": _("No passage has a sentence that could be asked. Ask by titles, or add documents of whole text."),
    "no_titles": _("No document that has passages has a title that could be asked. Ask by sentences."),
    "too_many": _(
        "There are more than %(limit)s passages, whose vectors by all poolings would not fit into memory. Make a "
        "smaller set: a sample of its documents, with all that are judged."
    ),
}


LABELS = {
    "mean": _("mean"),
    "cls": _("first token"),
    "tanh": _("tanh pooler"),
    "max": _("maximum"),
    "last2": _("mean of the last two layers"),
}
LEFT_OUT = {"no_pooler": _("The checkpoint has no pooler, or not all of its weights.")}
NOTES = {
    "titles": _("Each title asks for the passages of its documents, which are encoded without title and headings."),
    "sentences": _(
        "Each sentence asks for a passage that holds it word for word: that is easy, and figures are high. What counts "
        "is how the poolings differ."
    ),
}
CONCLUSIONS = {
    "clear": _(
        "Best is “%(best)s” with nDCG@10 %(most)s, %(difference)s more than “%(second)s” (95 %%: %(low)s to %(high)s), "
        "which is more than chance; last is “%(last)s” with %(least)s."
    ),
    "chance": _(
        "Best is “%(best)s” with nDCG@10 %(most)s, but its lead of %(difference)s over “%(second)s” (95 %%: %(low)s to "
        "%(high)s) may be chance; last is “%(last)s” with %(least)s."
    ),
    "equal": _(
        "“%(best)s” and “%(second)s” find equally well, with nDCG@10 %(most)s; last is “%(last)s” with %(least)s."
    ),
}


class Row(TypedDict):
    """The figures of one pooling, as encoder/compare.py's Figures describes them: means over the queries, 0 to 1.

    `low` and `high`: within them lies the mean nDCG@10 of 95 % of the draws of a bootstrap over the queries."""

    ndcg: float
    low: float
    high: float
    rr: float
    recall: float
    cosine: float
    deviation: float
    histogram: list[int]
    first_component: float
    saturation: float | None


class Conclusion(TypedDict):
    """`code`: a key of CONCLUSIONS, or "few". `difference`: of the mean nDCG@10 of `best` and `second`, and the 95 %
    interval of a paired bootstrap over the queries; "clear" where that lies above 0."""

    code: str
    best: str
    second: str
    last: str
    difference: float
    low: float
    high: float


class Result(TypedDict):
    """What came of a comparison. `dtype`: what the model computed in. `lowest`: where the histograms, of 20 equal bins
    up to 1, begin. `left_out`: pooling -> key of LEFT_OUT. `note`: "" or a key of NOTES. `missing`: judgements of
    documents that the folder lacks. Without `seconds`, it is the same whenever the same is compared."""

    encoder: str
    weights: str
    dim: int
    dtype: str
    passages: int
    queries: int
    missing: int
    note: str
    seconds: float
    lowest: float
    poolings: dict[str, Row]
    left_out: dict[str, str]
    conclusion: Conclusion


class Refusal(Exception):
    """A reason why poolings cannot be compared: a key of MESSAGES, and the values for its sentence (JSON-able).

    A `detail` that is known by its `form` and `values` is said from these in the reader's language."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        return sentence(self.code, self.params)

    def as_json(self) -> dict[str, Any]:
        """What to store; `sentence(**stored)` reads it back."""
        return {"code": self.code, "params": self.params}


def sentence(code: str, params: dict[str, Any]) -> str:
    """Say a refusal in the active language; one that is not known, or lacks a parameter, as a fault of the site."""
    try:
        said = dict(params)
        if "form" in params:
            said["detail"] = gettext(params["form"]) % params["values"]
        elif "detail" in params:
            said["detail"] = translated(str(params["detail"]))
        return str(MESSAGES[code]) % said
    except (KeyError, TypeError, ValueError):  # stored by another version
        return str(MESSAGES["internal"])


def conclusion_of(result: Result) -> str:
    """Which pooling finds best, by how much, and whether that is more than chance, in the active language.

    nDCG@10 times 100, as `manage.py evaluate` prints it."""
    found, rows = result["conclusion"], result["poolings"]
    if found["code"] == "few":
        text = ngettext(
            "With %(queries)d query nothing can be concluded.",
            "With only %(queries)d queries nothing can be concluded.",
            result["queries"],
        )
        return text % {"queries": result["queries"]}
    named = {name: str(LABELS[found[name]]) for name in ("best", "second", "last")}
    numbers = {
        "most": rows[found["best"]]["ndcg"],
        "least": rows[found["last"]]["ndcg"],
        **{name: found[name] for name in ("difference", "low", "high")},
    }
    return str(CONCLUSIONS[found["code"]]) % (named | {name: f"{100 * one:.1f}" for name, one in numbers.items()})


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    def waiting(self) -> ComparisonQuerySet:
        """Those that nothing has come of yet, the oldest first."""
        return self.filter(finished=None).order_by("pk")


class Comparison(models.Model):
    """The poolings of an encoder, compared on texts: poolings.py says how. It is done by a job of the kind COMPARE,
    which works off all that wait.

    `folder` is set for the source FOLDER, `collection` for the others. `options` holds {"queries": how many at most}.
    Of `result` and `problem` one is set when it is finished: `Result`, and {"code", "params"} as `sentence`
    takes them.
    """

    class Source(models.TextChoices):
        FOLDER = "folder", _("queries and judgements of a folder")
        TITLES = "titles", _("titles of documents ask for their passages")
        SENTENCES = "sentences", _("sentences ask for the passage they are from")

    encoder = models.CharField(_("encoder"), max_length=200)
    weights = models.CharField(_("SHA-256 of the weights"), max_length=64, blank=True)
    source = models.CharField(_("what is asked"), max_length=20, choices=Source.choices)
    collection = models.ForeignKey(Collection, models.SET_NULL, null=True, blank=True, verbose_name=_("collection"))
    folder = models.CharField(_("folder"), max_length=1000, blank=True)
    options = models.JSONField(_("options"), default=dict)
    result = models.JSONField(_("result"), null=True)
    problem = models.JSONField(_("problem"), null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    created = models.DateTimeField(_("queued"), auto_now_add=True)
    started = models.DateTimeField(_("started"), null=True)
    finished = models.DateTimeField(_("finished"), null=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("asked for by")
    )

    objects = ComparisonQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("comparison of poolings")
        verbose_name_plural = _("comparisons of poolings")

    def __str__(self) -> str:
        return f"{self.encoder} #{self.pk}"

    @property
    def reason(self) -> str:
        """Why it failed, as a sentence in the reader's language; empty when it did not."""
        return sentence(self.problem["code"], self.problem["params"]) if self.problem else ""

    @property
    def conclusion(self) -> str:
        """`conclusion_of` its result; empty while there is none."""
        return conclusion_of(self.result) if self.result else ""

    @property
    def job(self) -> Job | None:
        """The job that is at it now; None while it waits, and when it is finished."""
        if self.finished or not self.started:
            return None
        running = Job.objects.filter(kind=Job.Kind.COMPARE, state=State.RUNNING).first()
        first = Comparison.objects.waiting().first()
        return running if first is not None and first.pk == self.pk else None

    @property
    def state(self) -> State:
        if self.finished:
            return State.FAILED if self.problem else State.READY
        return State.RUNNING if self.job else State.QUEUED
