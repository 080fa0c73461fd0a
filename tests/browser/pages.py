"""What the browser tests and the screenshots share: Chromium, and a site with something on each of its pages."""

from __future__ import annotations

import shutil
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
HANDBOOK = Path(__file__).parents[2] / "searchsite" / "demo" / "handbook"
LONG = "\n\n".join(f"## Chapter {n}\n\n" + "A long text about many things. " * 60 for n in range(60))
CODE = "Code that is wider than a phone:\n\n```\n" + "print('x') or " * 30 + "\n```\n\nAnd a_long_word_" + "x" * 120


def fill(pages: int = 12) -> dict[str, str]:
    """Make collections, documents in every state, an index and an administrator; returns page's name -> address."""
    from django.urls import reverse

    from searchsite.documents.models import Collection, Document, Job, State, Tag

    admin = administrator()
    handbook = Collection.objects.create(
        name="Handbook",
        slug="handbook",
        description="How things are done at an invented company: half in English, half in Chinese.",
        visibility=Collection.Visibility.PUBLIC,
    )
    Collection.objects.create(name="Empty", slug="empty")
    minutes = Collection.objects.create(name="Minutes", slug="minutes", description="Of meetings, for few.")
    for n in range(60):
        Document(collection=minutes, title=f"Meeting {n + 1}", text=f"What was said, {n}.").save()
    english, chinese = sorted(HANDBOOK.glob("en-*.md")), sorted(HANDBOOK.glob("zh-*.md"))
    lost = HANDBOOK / "en-lost-laptop.md"
    for path in {lost, *english[: pages // 2], *chinese[: pages // 2]}:
        Document(collection=handbook, text=path.read_text(encoding="utf-8"), source=path.name).save()
    long = Document(collection=handbook, title="A long text", text=LONG)
    long.save()
    Document(collection=handbook, title="Code", text=CODE).save()
    Job.queue(Job.Kind.REBUILD)
    # States that the work itself passes through too fast to be looked at.
    failed, queued, running = (Document(collection=handbook, title=title) for title in ("Scan", "Next", "Being read"))
    for document, text in (failed, "f"), (queued, "q"), (running, "r"):
        document.text = text
        document.save()
    state = Document.objects.filter
    state(pk=failed.pk).update(state=State.FAILED, problem={"code": "no_text_layer", "params": {}}, live_revision=None)
    state(pk=queued.pk).update(state=State.QUEUED, live_revision=None)
    state(pk=running.pk).update(state=State.RUNNING, live_revision=None)
    Job.objects.filter(document=failed).update(state=State.FAILED, problem={"code": "no_text_layer", "params": {}})
    Job.objects.filter(document=queued).update(state=State.QUEUED)
    Job.objects.filter(document=running).update(state=State.RUNNING, step="encoding", done=40, total=100)
    history_of(minutes)
    laptop = Document.objects.get(source=lost.name)
    upload = upload_of(handbook, [laptop, long, failed, queued, running])
    compared, over_budget = comparisons_of(handbook)
    members_of(handbook, admin)
    laptop.tags.set(Tag.objects.all())
    question = "What if my laptop is stolen?"
    passage = laptop.live_revision.passages.filter(text__contains="local police").first()  # type: ignore[union-attr]
    return {
        "home": "/",
        "results": f"/?q={question}",
        "results-zh": "/?q=笔记本电脑丢了怎么办",
        "results-2": f"/?q={question}&page=2",
        "results-newest": f"/?q={question}&sort=date",
        "results-why": f"/?q={question}",
        "results-facets": f"/?q={question}",
        "results-narrowed": f"/?q={question} lang:en after:2020 -title:vacation",
        "results-nothing": "/?q=zeppelin",
        "results-misspelt": "/?q=What if my laptpo is stolen?",
        "results-conditions": "/?q=lang:zh",
        "results-none": f"/?q={question} lang:de",
        "tips": "/",
        "why": f"{laptop.get_absolute_url()}why/?passage={passage.pk}&q={question}",  # type: ignore[union-attr]
        "similar": f"{laptop.get_absolute_url()}similar/?passage={passage.pk}",  # type: ignore[union-attr]
        "similar-document": f"{laptop.get_absolute_url()}similar/",
        "too-long": "/?q=" + "long " * 201,
        "document": f"{laptop.get_absolute_url()}?passage={passage.pk}&q={question}#passage",  # type: ignore[union-attr]
        "document-long": f"{long.get_absolute_url()}?part=2",
        "document-code": Document.objects.get(title="Code").get_absolute_url(),
        "document-failed": failed.get_absolute_url(),
        "document-running": running.get_absolute_url(),
        "not-found": "/documents/999999/",
        "login": reverse("admin:login"),
        "admin": reverse("admin:index"),
        "collections": reverse("admin:documents_collection_changelist"),
        "collection": reverse("admin:documents_collection_change", args=[handbook.pk]),
        "documents": reverse("admin:documents_document_changelist"),
        "document-admin": reverse("admin:documents_document_change", args=[laptop.pk]),
        "library": reverse("library"),
        "library-new": reverse("collection_new"),
        "library-reader": reverse("library"),
        "library-collection": reverse("collection", args=["handbook"]),
        "library-collection-reader": reverse("collection", args=["handbook"]),
        "library-collection-failed": f"{reverse('collection', args=['handbook'])}?state=failed",
        "library-collection-found": f"{reverse('collection', args=['handbook'])}?title=laptop",
        "library-collection-empty": reverse("collection", args=["empty"]),
        "library-collection-many": f"{reverse('collection', args=['minutes'])}?page=2",
        "library-add": reverse("document_add", args=["handbook"]),
        "library-members": reverse("members", args=["handbook"]),
        "library-settings": reverse("collection_settings", args=["handbook"]),
        "library-edit": reverse("document_edit", args=[laptop.pk]),
        "library-delete": reverse("document_delete", args=[laptop.pk]),
        "library-delete-many": reverse("collection", args=["handbook"]),
        "library-document": laptop.get_absolute_url(),  # type: ignore[union-attr]
        "library-document-failed": failed.get_absolute_url(),
        "upload": reverse("upload"),
        "upload-chosen": reverse("upload"),
        "upload-midway": reverse("upload"),
        "upload-over": reverse("upload"),
        "upload-state": upload.get_absolute_url(),
        "upload-failed": f"{upload.get_absolute_url()}?state=failed",
        "uploads": reverse("admin:documents_upload_changelist"),
        "tags": reverse("admin:documents_tag_changelist"),
        "jobs": reverse("admin:documents_job_changelist"),
        "builds": reverse("admin:index_build_changelist"),
        "lab": reverse("admin:insight_lab"),
        "lab-error": f"{reverse('admin:insight_lab')}?encoder=tiny",
        "comparisons": reverse("admin:insight_comparison_changelist"),
        "comparison": reverse("admin:insight_comparison_change", args=[compared.pk]),
        "comparison-failed": reverse("admin:insight_comparison_change", args=[over_budget.pk]),
    } | people_pages(admin)


def administrator():
    from django.contrib.auth.models import User

    return User.objects.filter(username="admin").first() or User.objects.create_superuser("admin", password="admin")


def empty() -> dict[str, str]:
    """Pages of a site that holds nothing but an administrator: page's name -> address."""
    from django.urls import reverse

    administrator()
    lists = {"documents": "documents_document", "jobs": "documents_job", "builds": "index_build"}
    return {
        "home-empty": "/",
        "home-empty-admin": "/",
        "library-empty": reverse("library"),
        "upload-empty": reverse("upload"),
        "admin-empty": reverse("admin:index"),
        "comparisons-empty": reverse("admin:insight_comparison_changelist"),
    } | {f"{name}-empty": reverse(f"admin:{model}_changelist") for name, model in lists.items()}


def people_pages(admin) -> dict[str, str]:
    """Pages of signing in and of accounts, the admin's included: page's name -> address."""
    from django.contrib.auth.models import User
    from django.urls import reverse

    from searchsite.people.links import password_path

    maria = User.objects.get(username="maria")
    return {
        "sign-in": reverse("sign_in"),
        "sign-in-refused": reverse("sign_in"),
        "password-forgotten": reverse("password_forgotten"),
        "password-link": password_path(maria),
        "password-link-used": password_path(maria)[:-5] + "/",
        "account": reverse("account"),
        "password": reverse("password"),
        "password-refused": reverse("password"),
        "users": reverse("admin:auth_user_changelist"),
        "user": reverse("admin:auth_user_change", args=[maria.pk]),
        "user-link": reverse("admin:auth_user_password_link", args=[maria.pk]),
        "user-delete": reverse("admin:auth_user_delete", args=[maria.pk]),
        "groups": reverse("admin:auth_group_changelist"),
        "audit-log": reverse("admin:people_entry_changelist"),
    }


# What is to be seen when something goes wrong; the addresses are those of tests/browser/urls.py.
ERRORS = {
    "error-400": ("/errors/400/", 400),
    "error-403": ("/errors/403/", 403),
    "error-form": ("/errors/form/", 403),
    "error-500": ("/errors/500/", 500),
    "error-503": ("/errors/503/?q=What if my laptop is stolen?", 503),
}


def history_of(collection) -> None:
    """What was done with its documents is spread over some weeks, as if the encoder had been busy on some days."""
    from datetime import timedelta

    from django.utils import timezone

    from searchsite.documents.models import Job

    now = timezone.now()
    for n, job in enumerate(Job.objects.filter(document__collection=collection).order_by("pk")):
        ended = now - timedelta(days=n * n % 29)
        job.started, job.finished = ended - timedelta(seconds=5 + n * 3), ended
        job.done = job.total = 3 + n * 7 % 40
        job.encoded, job.encode_seconds = job.total, job.total / (30 + n % 9)
        job.save()


def members_of(collection, admin) -> None:
    """People and groups in each role."""
    from django.contrib.auth.models import Group, User

    from searchsite.documents.models import Membership, Role

    people = [admin, *(User.objects.create_user(name) for name in ("maria", "王小明", "a.very.long.name@example.com"))]
    User.objects.filter(username="maria").update(first_name="Maria", last_name="Sanders-Winterbottom")
    roles = (Role.MANAGER, Role.EDITOR, Role.READER, Role.READER)
    for person, role in zip(people, roles, strict=True):
        Membership.objects.create(collection=collection, user=person, role=role)
    Membership.objects.create(collection=collection, group=Group.objects.create(name="People & culture"), role="editor")


def upload_of(collection, documents):
    """An upload of these documents, and of files in the other states that a file can be in."""
    from django.contrib.auth.models import User

    from searchsite.documents import uploads
    from searchsite.documents.models import Job, State, UploadItem

    upload = uploads.begin(collection, User.objects.get(username="admin"), "handbook, 2026；预算", announced=8)
    items = [UploadItem(upload=upload, name=f"papers/{document.pk}.md", document=document) for document in documents]
    empty, password = ({"code": code, "params": {}} for code in ("empty_file", "archive_password"))
    refused = {"state": State.FAILED, "problem": empty}
    items += [
        UploadItem(upload=upload, name="papers/a very long name " + "that goes on and on " * 6 + ".pdf", **refused),
        UploadItem(upload=upload, name="papers/old.zip", archive="x", state=State.CANCELLED, size=3_000_000),
        UploadItem(upload=upload, name="papers.zip", archive="x", state=State.RUNNING, size=7_000_000),
        UploadItem(upload=upload, name="papers.zip/secret.pdf", state=State.FAILED, problem=password, size=70_000),
    ]
    UploadItem.objects.bulk_create(items)
    unpacking = {"state": State.RUNNING, "step": "unpacking", "done": 30, "total": 50}
    Job.objects.create(kind=Job.Kind.UNPACK, item=UploadItem.objects.get(name="papers.zip"), **unpacking)
    return upload


def comparisons_of(collection):
    """Comparisons in every state; returns one that is done, with figures made up, and one that failed."""
    from django.utils import timezone

    from searchsite.documents.models import Job, State
    from searchsite.insight.models import Comparison

    figures = {"mean": 0.81, "last2": 0.8, "max": 0.74, "cls": 0.7, "tanh": 0.31}
    poolings = {
        name: {
            "ndcg": ndcg, "low": ndcg - 0.03, "high": ndcg + 0.03, "rr": ndcg - 0.02, "recall": ndcg + 0.1,
            "cosine": 1 - ndcg, "deviation": 0.08, "first_component": 0.1, "saturation": None,
            "histogram": [max(0, 600 - 90 * abs(place - round(20 * (1 - ndcg)))) for place in range(20)],
        }
        for name, ndcg in figures.items()
    }  # fmt: skip
    poolings["tanh"]["saturation"] = 0.42
    conclusion = {"code": "chance", "best": "mean", "second": "last2", "last": "tanh"}
    conclusion |= {"difference": 0.01, "low": -0.004, "high": 0.024}
    result = {
        "encoder": "e5-small", "weights": "0" * 64, "dim": 384, "dtype": "float32", "passages": 1204, "queries": 212,
        "missing": 0, "note": "sentences", "seconds": 94.0, "lowest": 0.0, "poolings": poolings,
        "left_out": {}, "conclusion": conclusion,
    }  # fmt: skip
    now = timezone.now()
    asked = {"encoder": "e5-small", "collection": collection, "source": Comparison.Source.SENTENCES}
    done = Comparison.objects.create(**asked, result=result, finished=now)
    problem = {"code": "too_many", "params": {"limit": 20000}}
    failed = Comparison.objects.create(
        encoder="a-long-name-of-a-checkpoint-in-a-folder", source=Comparison.Source.FOLDER, folder="/sets/scifact",
        problem=problem, finished=now,
    )  # fmt: skip
    Comparison.objects.create(**asked, started=now)
    Comparison.objects.create(**asked)
    Job.objects.create(kind=Job.Kind.COMPARE, state=State.RUNNING, step="comparing", done=40, total=100)
    return done, failed


def looks() -> dict[str, str]:
    """Put a small checkpoint where the site looks for them; returns the pages of looks into it, which take seconds."""
    from django.conf import settings
    from django.urls import reverse

    from tests.encoder.checkpoints import write_bert

    write_bert(Path(settings.SEARCHSITE_MODELS_DIR) / "small-bert")
    asked = f"{reverse('admin:insight_lab')}?encoder="
    return {
        "lab-look": f"{asked}small-bert&frozen=embeddings 0",
        "lab-random": f"{asked}small-bert&how=config",
        "lab-in-use": f"{asked}{settings.SEARCHSITE_ENCODER}",
    }


ADMIN = {
    *("home-empty-admin", "library-empty", "upload-empty", "admin-empty", "comparisons-empty"),
    *("documents-empty", "jobs-empty", "builds-empty"),
    *("account", "password", "password-refused", "users", "user", "user-link", "user-delete", "groups", "audit-log"),
    *("admin", "collections", "collection", "documents", "document-admin", "jobs", "builds", "tags", "uploads"),
    *("library", "library-new", "library-collection", "library-collection-failed", "library-collection-found"),
    *(
        "library-collection-empty",
        "library-collection-many",
        "library-add",
        "library-members",
        "library-settings",
        "library-edit",
    ),
    *("library-delete", "library-delete-many", "library-document", "library-document-failed"),
    *("upload", "upload-chosen", "upload-midway", "upload-over", "upload-state", "upload-failed"),
    *("lab", "lab-error", "lab-look", "lab-random", "lab-in-use", "comparisons", "comparison", "comparison-failed"),
}
