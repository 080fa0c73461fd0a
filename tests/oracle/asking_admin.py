"""What Django's admin is asked: pages of every model by everybody, with the ids of what may and may not be seen."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from searchsite.documents.models import Document, Job, State
from searchsite.insight import overview
from tests.oracle.asking import NOWHERE, Asked, Case, Check, Maker, always, there
from tests.oracle.judge import edited, may, rank, readable
from tests.oracle.world import Shelf

AUTOCOMPLETE = "/admin/autocomplete/?app_label=documents&model_name=document&field_name=collection"
OF_SHELVES = ("collection", "document", "job", "upload", "comparison")
READ_ONLY = {"job", "upload", "entry", "build", "calibration"}  # nobody changes or deletes rows there
MODELS = {
    "documents": ["collection", "document", "tag", "job", "upload"],
    "index": ["build"],
    "search": ["calibration"],
    "insight": ["comparison"],
    "auth": ["user", "group"],
    "people": ["entry"],
}


def staff(asked: Asked) -> bool:
    return asked.person.staff and asked.person.active


def looks(asked: Asked, app: str, model: str) -> bool:
    """Whether Django's permissions let him look at rows of the model at all."""
    person = asked.person
    if model == "entry":
        return person.superuser
    if model == "upload":
        return may(person, "documents.view_document") or may(person, "documents.change_document")
    return may(person, f"{app}.view_{model}") or may(person, f"{app}.change_{model}")


def row(asked: Asked, model: str) -> tuple[int, Shelf | None]:
    """The id of a row of the model in this collection, and where it belongs; None where it belongs to none."""
    shelf, dice = asked.shelf, asked.dice
    if model == "collection":
        return shelf.pk, shelf
    if model == "document":
        return asked.paper(live=dice.random() < 0.7).pk, shelf
    if model == "job":
        jobs = Job.objects.filter(document__collection=shelf.pk).values_list("pk", flat=True)
        return dice.choice(list(jobs)), shelf
    if model == "upload":
        return (shelf.uploads[0][0], shelf) if shelf.uploads else (NOWHERE, None)
    if model == "comparison":
        return (shelf.comparison, shelf) if shelf.comparison else (NOWHERE, None)
    rows = list(apps.get_model("documents" if model == "tag" else app_of(model), model).objects.values_list("pk"))
    return (dice.choice(rows)[0] if rows else NOWHERE), None


def app_of(model: str) -> str:
    return next(app for app, models in MODELS.items() if model in models)


def changelist(app: str, model: str) -> Maker:
    def make(asked: Asked) -> Case:
        path = reverse(f"admin:{app}_{model}_changelist")
        if not staff(asked):
            return Case(path, 302)
        if not looks(asked, app, model):
            return Case(path, 403)
        paper = asked.paper()
        query = asked.dice.choice([{}, {"q": paper.title}, {"collection__id__exact": str(asked.shelf.pk)}])
        if model not in ("document", "upload") and "q" not in query:
            query = {}
        if model in ("job", "upload", "build", "calibration", "comparison") and "q" in query:
            query = {}

        def check(response: Any) -> str:
            found = response.context["cl"].queryset
            return _rows_differ(asked, model, query, set(found.values_list("pk", flat=True)))

        return Case(path, 200, query, check=check)

    return make


def _rows_differ(asked: Asked, model: str, query: dict[str, str], found: set[int]) -> str:
    """The rows of a list, against those of the collections that he sees."""
    world, person = asked.world, asked.person
    seen = [shelf for shelf in world.shelves if rank(person, shelf) > 0]
    if "collection__id__exact" in query:
        seen = [shelf for shelf in seen if shelf is asked.shelf]
    expected: set[int] | None = None
    if model == "collection" and not query:
        expected = {shelf.pk for shelf in seen}
    elif model == "document":
        papers = [paper for shelf in seen for paper in shelf.papers]
        expected = {one.pk for one in papers if "q" not in query or one.title == query["q"]}
    elif model == "upload":
        expected = {shelf.uploads[0][0] for shelf in seen if shelf.uploads}
    elif model == "comparison":
        expected = {shelf.comparison for shelf in seen if shelf.comparison}
    elif model == "job":
        papers = {paper.pk for shelf in seen for paper in shelf.papers}
        jobs = Job.objects.values_list("pk", "document", "item__upload__collection")
        shown = {shelf.pk for shelf in seen}
        site = {pk for pk, document, collection in jobs if document is None and collection is None}
        expected = {pk for pk, document, collection in jobs if document in papers or collection in shown} | site
    elif model == "tag" and not query and not person.superuser:
        tags = {tag for _, paper in readable(world, person) for tag in paper.tags}
        names = set(apps.get_model("documents", "tag").objects.filter(pk__in=found).values_list("name", flat=True))
        return "" if names == tags else f"lists {len(names)} tags, not {len(tags)}"
    if expected is None or expected == found:
        return ""
    return f"lists {len(found - expected)} rows too many, {len(expected - found)} too few"


def page(app: str, model: str, kind: str) -> Maker:
    """The page that changes a row, its history, the one that asks before deleting it, or the address without a name.
    A row that is not his to see is answered as one that is nowhere."""

    def make(asked: Asked) -> Case:
        pk, shelf = row(asked, model)
        path = _path(app, model, kind, pk)
        if not staff(asked):
            return Case(path, 302)
        if kind == "redirect":
            return Case(path, 302)
        if shelf is not None and rank(asked.person, shelf) == 0:
            return Case(path, (403, 404), same_as=_path(app, model, kind, NOWHERE))
        if pk == NOWHERE:
            return Case(path, (302, 404, 403))
        return Case(path, _status(asked, app, model, kind, shelf))

    return make


def _path(app: str, model: str, kind: str, pk: int) -> str:
    if kind == "redirect":
        return f"/admin/{app}/{model}/{pk}/"
    return reverse(f"admin:{app}_{model}_{kind}", args=[pk])


def _status(asked: Asked, app: str, model: str, kind: str, shelf: Shelf | None) -> int | tuple[int, ...]:
    """How a page about a row that he sees is answered."""
    person = asked.person
    if kind == "delete" and model in READ_ONLY:
        return 403
    if model == "upload" and kind == "change":
        return 302 if shelf and rank(person, shelf) > 1 else 404
    if shelf is None:  # it belongs to no collection: only its permissions count, which others test
        return (200, 403, 404)
    if kind == "delete":
        needed = {"collection": 3, "document": 2}.get(model, 1)
        return 200 if may(person, f"{app}.delete_{model}") and rank(person, shelf) >= needed else 403
    return 200 if looks(asked, app, model) else 403


def add(app: str, model: str) -> Maker:
    def make(asked: Asked) -> Case:
        path = reverse(f"admin:{app}_{model}_add")
        if not staff(asked):
            return Case(path, 302)
        if model in READ_ONLY:
            return Case(path, (302, 403))
        return Case(path, (200, 403) if may(asked.person, f"{app}.add_{model}") else 403, check=_offers(asked, model))

    return make


def _offers(asked: Asked, model: str) -> Check:
    """The collections that a form offers are those into which he may put documents."""

    def check(response: Any) -> str:
        if response.status_code != 200 or model != "document":
            return ""
        field = response.context["adminform"].form.fields["collection"]
        offered = set(field.queryset.values_list("pk", flat=True))
        wanted = {shelf.pk for shelf in edited(asked.world, asked.person)}
        return "" if offered == wanted else f"offers {len(offered)} collections, not {len(wanted)}"

    return check


def change_document(asked: Asked) -> Case:
    """Another title, and perhaps another collection, for a typed text."""
    paper = asked.dice.choice([one for one in asked.shelf.papers if not one.file])
    target = asked.dice.choice(asked.world.shelves)
    path = reverse("admin:documents_document_change", args=[paper.pk])
    data = {"title": "Changed", "text": "Changed", "tags": "", "collection": str(target.pk)}
    if not staff(asked):
        return Case(path, 302, data, post=True, changes=False)
    if asked.rank == 0:
        return Case(path, (404, 403), data, post=True, changes=False)
    if not (may(asked.person, "documents.change_document") and asked.rank > 1):
        return Case(path, 403, data, post=True, changes=False)
    moves = rank(asked.person, target) > 1
    return Case(path, 302 if moves else 200, data, post=True, changes=moves)


def delete(app: str, model: str) -> Maker:
    """Deleting a row: of a document its editors, of a collection its managers, of a tag superusers; with permission."""

    def make(asked: Asked) -> Case:
        pk, shelf = row(asked, model)
        path, data = _path(app, model, "delete", pk), {"post": "yes"}
        if not staff(asked):
            return Case(path, 302, data, post=True, changes=False)
        needed = {"collection": 3, "document": 2}.get(model, 1)
        able = asked.person.superuser or (
            may(asked.person, f"documents.delete_{model}")
            and (model != "collection" or may(asked.person, "documents.delete_document"))
            and shelf is not None
            and rank(asked.person, shelf) >= needed
        )
        return Case(path, 302 if able else (403, 404), data, post=True, changes=able)

    return make


def actions(asked: Asked) -> Case:
    """An action on a document of this collection and one of another: each is done only where he is an editor."""
    path = reverse("admin:documents_document_changelist")
    action = asked.dice.choice(["try_again", "delete_selected", "move", "tag"])
    target = asked.dice.choice(asked.world.shelves)
    other_shelf = asked.dice.choice([one for one in asked.world.shelves if one is not asked.shelf])
    chosen = [(asked.shelf, asked.paper()), (other_shelf, next(one for one in other_shelf.papers if one.live))]
    data = {"action": action, "_selected_action": [paper.pk for _, paper in chosen], "post": "yes"}
    data |= {"confirmed": "yes", "to": str(target.pk), "tags": "a-new-tag"}
    person = asked.person
    if not staff(asked):
        return Case(path, 302, data, post=True, changes=False)
    needed = "documents.delete_document" if action == "delete_selected" else "documents.change_document"
    able = looks(asked, "documents", "document") and may(person, needed)
    mine = [paper for shelf, paper in chosen if rank(person, shelf) > 1]
    others = [paper.pk for shelf, paper in chosen if rank(person, shelf) < 2]
    seen_alone = [paper for shelf, paper in chosen if rank(person, shelf) == 1]
    before = _documents(others)

    def check(_response: Any) -> str:
        return "" if _documents(others) == before else "changes a document that is not his"

    # Where one that he sees may not be deleted, none is; of those that he does not see nothing is known.
    changes = able and bool(mine) and not (action == "delete_selected" and seen_alone)
    if action == "move":
        moving = [shelf for shelf, _ in chosen if rank(person, shelf) > 1 and shelf is not target]
        changes = able and rank(person, target) > 1 and bool(moving)
    return Case(path, (200, 302, 403), data, post=True, changes=changes, check=check)


def _documents(ids: list[int]) -> set[tuple[Any, ...]]:
    return set(Document.objects.filter(pk__in=ids).values_list("pk", "state", "collection"))


def actions_on_jobs(asked: Asked) -> Case:
    """Trying a job again, or cancelling it: of a document, or of an archive that waits."""
    path = reverse("admin:documents_job_changelist")
    of_document = Q(document__in=[one.pk for one in asked.shelf.papers])
    jobs = Job.objects.filter(of_document | Q(item__upload__collection=asked.shelf.pk)).order_by("pk")
    job = asked.dice.choice(list(jobs))
    action = "cancel" if job.state == State.QUEUED else "try_again"
    data = {"action": action, "_selected_action": [job.pk]}
    if not staff(asked):
        return Case(path, 302, data, post=True, changes=False)
    if not looks(asked, "documents", "job"):
        return Case(path, 403, data, post=True, changes=False)
    able = may(asked.person, "documents.change_document") and asked.rank > 1
    return Case(path, (302, 200, 403), data, post=True, changes=able)


def job_button(what: str) -> Maker:
    """The buttons of a job's row: "again" and "cancel"."""

    def make(asked: Asked) -> Case:
        of_document = Q(document__in=[one.pk for one in asked.shelf.papers])
        jobs = Job.objects.filter(of_document | Q(item__upload__collection=asked.shelf.pk)).order_by("pk")
        job = asked.dice.choice(list(jobs))
        path, data = reverse(f"admin:documents_job_{what}", args=[job.pk]), {"next": "/admin/"}
        if not staff(asked):
            return Case(path, 302, data, post=True, changes=False)
        if not looks(asked, "documents", "job"):
            return Case(path, 403, data, post=True, changes=False)
        if asked.rank == 0:
            return Case(path, 404, data, post=True, changes=False)
        able = may(asked.person, "documents.change_document") and asked.rank > 1
        waits = job.state in (State.QUEUED, State.RUNNING)
        changes = able and (waits if what == "cancel" else not waits)
        return Case(path, 302 if able else 403, data, post=True, changes=changes)

    return make


def activate(asked: Asked) -> Case:
    """A build of the index that is nowhere."""
    path = reverse("admin:index_build_activate", args=[NOWHERE])
    status = (404 if may(asked.person, "index.add_build") else 403) if staff(asked) else 302
    return Case(path, status, post=True, changes=False)


def front_page(asked: Asked) -> Case:
    """It counts, and names, what is in the collections that he sees."""
    person = asked.person

    def check(response: Any) -> str:
        if response.status_code != 200 or not looks(asked, "documents", "job"):
            return ""
        papers = [one.pk for shelf in asked.world.shelves if rank(person, shelf) > 0 for one in shelf.papers]
        done = Job.objects.filter(document__in=papers, state=State.READY, kind=Job.Kind.INGEST).count()
        counted = sum(day.documents for day in overview.days(person.user))
        return "" if counted == done else f"counts {counted} documents, not {done}"

    return Case("/admin/", 200 if staff(asked) else 302, check=check)


def in_admin(path: str, staff_only: int | tuple[int, ...] = 200) -> Maker:
    return lambda asked: Case(path, staff_only if staff(asked) else 302)


def nothing_to_see(asked: Asked) -> Case:
    """Django's "view on site" would tell whether a row is there."""
    return Case(f"/admin/r/1/{asked.paper().pk}/", 404)


def about_account(suffix: str) -> Maker:
    def make(asked: Asked) -> Case:
        user = asked.dice.choice(list(User.objects.all()))
        return Case(f"/admin/auth/user/{user.pk}/{suffix}/", (200, 302, 403, 404) if staff(asked) else 302)

    return make


def export(asked: Asked) -> Case:
    status = (200 if asked.person.superuser else 403) if staff(asked) else 302
    return Case("/admin/people/entry/export/", status, post=True, changes=False, is_look=False)


def compare(asked: Asked) -> Case:
    """A comparison on this collection, or once more the one that there is of it."""
    again = asked.shelf.comparison and asked.dice.random() < 0.5
    data = {"source": "titles", "collection": str(asked.shelf.pk), "encoder": "tiny"}
    path = "/admin/insight/comparison/compare/"
    if again:
        path = reverse("admin:insight_comparison_again", args=[asked.shelf.comparison])
    if not staff(asked):
        return Case(path, 302, data, post=True, changes=False)
    if not (may(asked.person, "insight.add_comparison") and looks(asked, "insight", "comparison")):
        return Case(path, (403, 404), data, post=True, changes=False)
    status = there(asked.rank > 0, 302) if again else 302 if asked.rank > 0 else 200
    return Case(path, status, data, post=True, changes=asked.rank > 0)


def autocomplete(asked: Asked) -> Case:
    """Django's own way to find rows by their names."""
    model, name = asked.dice.choice([("document", "collection"), ("job", "document")])
    term = asked.shelf.name if name == "collection" else asked.paper().title
    query = {"app_label": "documents", "model_name": model, "field_name": name, "term": term}
    if not staff(asked):
        return Case("/admin/autocomplete/", 302, query)
    able = looks(asked, "documents", name)

    def check(response: Any) -> str:
        if response.status_code != 200:
            return ""
        found = [one["text"] for one in response.json()["results"]]
        return "" if found == ([term] if asked.rank > 0 else []) else f"finds {found}"

    return Case("/admin/autocomplete/", 200 if able else 403, query, check=check)


def _every() -> dict[str, Maker]:
    made: dict[str, Maker] = {}
    for app, models in MODELS.items():
        for model in models:
            made[f"admin:{app}_{model}_changelist"] = changelist(app, model)
            made[f"admin:{app}_{model}_add"] = add(app, model)
            for kind in ("history", "delete", "change"):
                made[f"admin:{app}_{model}_{kind}"] = page(app, model, kind)
            made[f"admin/{app}/{model}/<path:object_id>/"] = page(app, model, "redirect")
    return made


ADMIN: dict[str, Maker] = {
    **_every(),
    "admin:documents_document_changelist, actions": actions,
    "admin:documents_job_changelist, actions": actions_on_jobs,
    "admin:documents_document_change, posted": change_document,
    "admin:documents_document_delete, posted": delete("documents", "document"),
    "admin:documents_collection_delete, posted": delete("documents", "collection"),
    "admin:documents_tag_delete, posted": delete("documents", "tag"),
    "admin:documents_job_again": job_button("again"),
    "admin:documents_job_cancel": job_button("cancel"),
    "admin:index_build_activate": activate,
    "admin:index": front_page,
    "admin:login": always("/admin/login/", 302),
    "admin/login/": always("/admin/login/?next=/admin/", 302),
    "admin:logout": always("/admin/logout/", (200, 302), post=True),
    "admin:password_change": always("/admin/password_change/", 302),
    "admin/password_change/": always("/admin/password_change/", 302),
    "admin:password_change_done": in_admin("/admin/password_change/done/"),
    "admin:autocomplete": in_admin(AUTOCOMPLETE, (200, 403)),
    "admin:jsi18n": in_admin("/admin/jsi18n/"),
    "admin:view_on_site": nothing_to_see,
    "admin/r/<path:_any>": nothing_to_see,
    "admin:app_list": in_admin("/admin/documents/", (200, 404)),
    "admin/(?P<url>.*)$": in_admin("/admin/nowhere/at/all/", 404),
    "admin:auth_user_password_link": about_account("link"),
    "admin:auth_user_password_change": about_account("password"),
    "admin:people_entry_export": export,
    "admin:index_build_rebuild": in_admin("/admin/index/build/rebuild/", (403, 405)),
    "admin:insight_lab": in_admin("/admin/insight/comparison/look/", (200, 403)),
    "admin:insight_comparison_compare": compare,
    "admin:insight_comparison_again": compare,
}
