"""Going back to an earlier build: from the next search on, in every process; and what stands in the way of it."""

from __future__ import annotations

import shutil

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from searchsite.documents import changes
from searchsite.documents.models import Job, State
from searchsite.index import build, follow, serving
from searchsite.index.models import ActiveBuild, Build
from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db


def rebuild() -> Build:
    build.rebuild(Job(kind=Job.Kind.REBUILD), lambda *_progress: None)
    return Build.objects.latest("pk")


@pytest.fixture
def two(public, add) -> tuple[Build, Build]:
    """(the build before, the one that serves), with a document more in it."""
    add(public, "apples", title="First")
    first = rebuild()
    add(public, "pears", title="Second")
    return first, rebuild()


def served() -> tuple[int | None, int]:
    now = follow.current()
    return now.build.pk if now.build else None, len(now.store.ids())


def test_an_earlier_build_serves_from_the_next_search_on_with_what_changed_since(two, public, add):
    first, second = two
    assert served() == (second.pk, 2)
    assert serving.serve(first.pk) == (first, second)
    assert served() == (first.pk, 2), "what it lacks is replayed"
    add(public, "plums", title="Third")
    assert served() == (first.pk, 3)
    assert serving.serve(second.pk) == (second, first)
    assert served() == (second.pk, 3)


def obstacle(found: Build) -> str:
    return str(serving.obstacle(found, ActiveBuild.objects.get()))


def test_what_stands_in_the_way_is_said_and_holds(two, settings):
    first, second = two
    assert serving.obstacle(first, ActiveBuild.objects.get()) == ""
    assert "already" in obstacle(second)
    cases = [
        ("finished", {"state": Build.State.FAILED}),
        ("another encoder", {"fingerprint": "f" * 64}),
        ("files", {"folder": ""}),
        ("files", {"folder": "build-nowhere"}),
    ]
    for said, change in cases:
        before = {name: getattr(first, name) for name in change}
        Build.objects.filter(pk=first.pk).update(**change)
        changed = Build.objects.get(pk=first.pk)
        assert said in obstacle(changed)
        with pytest.raises(serving.CannotServe, match=said):
            serving.serve(first.pk)
        assert serving.previous(ActiveBuild.objects.get()) is None
        Build.objects.filter(pk=first.pk).update(**before)
    ActiveBuild.objects.update(changes_deleted=first.change_number + 1)
    assert "no longer known" in obstacle(first)
    ActiveBuild.objects.update(changes_deleted=first.change_number)
    assert obstacle(first) == ""
    shutil.rmtree(settings.INDEX_DIR / first.folder)
    assert "files" in obstacle(first)
    assert ActiveBuild.objects.get().build == second


def test_a_rebuild_after_going_back_serves_and_keeps_two(two):
    first, second = two
    serving.serve(first.pk)
    third = rebuild()
    assert ActiveBuild.objects.get().build == third
    assert set(Build.objects.values_list("pk", flat=True)) == {second.pk, third.pk}
    assert serving.previous(ActiveBuild.objects.get()) == second
    assert not serving.went_back(ActiveBuild.objects.get())


def test_tidying_leaves_the_build_that_serves(two, settings):
    first, second = two
    third = rebuild()  # the first is gone by now
    assert not Build.objects.filter(pk=first.pk).exists()
    serving.serve(second.pk)
    Build.objects.create(state=Build.State.READY, folder="build-x", fingerprint="", encoder="", dim=1)
    build.tidy()
    assert Build.objects.filter(pk__in=[second.pk, third.pk]).count() == 2
    assert (settings.INDEX_DIR / second.folder).is_dir()


def test_nothing_is_rebuilt_unasked_while_an_earlier_build_serves(two, monkeypatch):
    first, second = two
    monkeypatch.setattr(build, "due_at", lambda: 0)
    serving.serve(first.pk)
    build.queue_when_due()
    assert not Job.objects.filter(kind=Job.Kind.REBUILD, state=State.QUEUED).exists()
    serving.serve(second.pk)
    changes.record([1])
    build.queue_when_due()
    assert Job.objects.filter(kind=Job.Kind.REBUILD, state__in=[State.QUEUED, State.READY]).exists()


# --- the admin ---


def activate(client, pk: int):
    return client.post(reverse("admin:index_build_activate", args=[pk]), follow=True)


def test_it_is_done_from_the_page_and_written_down(two, admin_client):
    first, second = two
    listing = reverse("admin:index_build_changelist")
    page = admin_client.get(listing).content.decode()
    assert f"Go back to build {first}" in page
    assert page.count("Use this build") == 1
    page = activate(admin_client, first.pk).content.decode()
    assert f"Build {first} serves now." in page
    assert "An earlier build serves, not the latest." in page
    assert "Go back to build" not in page
    [entry] = Entry.objects.filter(action=Action.BUILD_CHOSEN)
    assert (entry.username, entry.about, entry.details) == ("admin", str(first), {"before": str(second)})
    log = admin_client.get(reverse("admin:people_entry_changelist")).content.decode()
    assert f"before: {second}" in log
    page = activate(admin_client, first.pk).content.decode()
    assert f"Build {first} cannot serve. It serves already." in page
    assert Entry.objects.filter(action=Action.BUILD_CHOSEN).count() == 1


def test_it_is_for_those_who_may_make_builds(two, client):
    first, second = two
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_build"))
    client.force_login(staff)
    assert "Use this build" not in client.get(reverse("admin:index_build_changelist")).content.decode()
    assert activate(client, first.pk).status_code == 403
    assert client.get(reverse("admin:index_build_activate", args=[first.pk])).status_code == 405
    assert ActiveBuild.objects.get().build == second
    staff.user_permissions.add(Permission.objects.get(codename="add_build"))
    assert activate(client, 987_654_321).status_code == 404
    assert activate(client, first.pk).status_code == 200
    assert ActiveBuild.objects.get().build == first


def test_the_list_says_what_a_build_is_and_what_share_of_the_nearest_it_finds(two, admin_client):
    first, second = two
    Build.objects.filter(pk=first.pk).update(kind="HNSW32", recall=None)
    Build.objects.filter(pk=second.pk).update(kind="exact", recall=0.9876)
    page = admin_client.get(reverse("admin:index_build_changelist")).content.decode()
    assert "HNSW32" in page
    assert page.count("98.8\u00a0%") == 2, "in its row, and above the list as it serves"
    assert page.count("> 100\u00a0%<") == 1
