"""Which build serves: going back to an earlier one that is still there, and what stands in the way of that."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from searchsite.documents.access import User, visible_documents
from searchsite.documents.models import Change
from searchsite.index import backends
from searchsite.index.models import ActiveBuild, Build


class CannotServe(Exception):
    """This build cannot be made to serve. The message is a sentence for the reader, lazily translated."""


def obstacle(build: Build, active: ActiveBuild | None) -> str | Promise:
    """Why this build could not serve in place of the one that does; empty where it could."""
    if build.state != Build.State.READY:
        return _("It was never finished.")
    if active is not None and active.build_id == build.pk:
        return _("It serves already.")
    if build.fingerprint != backends.fingerprint():
        return _("It was made with another encoder than the present one.")
    if not build.folder or not (settings.INDEX_DIR / build.folder).is_dir():
        return _("Its files are no longer there.")
    if active is not None and build.change_number < active.changes_deleted:
        return _("What changed since it was made is no longer known. Rebuild the index.")
    return ""


def went_back(active: ActiveBuild | None) -> bool:
    """Whether somebody made an earlier build serve than the latest: then nothing is rebuilt unasked."""
    if active is None or active.build_id is None:
        return False
    return Build.objects.filter(state=Build.State.READY, pk__gt=active.build_id).exists()


def changed_since(build: Build | None, user: User) -> int:
    """How many of the documents that the user sees changed since the build was made; of a superuser deleted ones,
    too."""
    changed = Change.objects.filter(number__gt=build.change_number if build else 0)
    if not getattr(user, "is_superuser", False):
        changed = changed.filter(document_id__in=visible_documents(user).values("pk"))
    return changed.values("document_id").distinct().count()


def serve(pk: int) -> tuple[Build, Build | None]:
    """Make a build that is there serve from the next search on, in every process: (it, the one that served before).

    The row that says which one serves is held meanwhile, as it is by whoever deletes builds and changes
    (build.tidy). Raises Build.DoesNotExist and CannotServe.
    """
    with transaction.atomic():
        ActiveBuild.objects.get_or_create(pk=1)
        active = ActiveBuild.objects.select_for_update().select_related(None).get(pk=1)
        before = active.build
        build = Build.objects.get(pk=pk)
        if why := obstacle(build, active):
            raise CannotServe(why)
        active.build = build
        active.save(update_fields=["build"])
    return build, before


def previous(active: ActiveBuild | None) -> Build | None:
    """The latest build before the one that serves that could serve in its place."""
    if active is None or active.build_id is None:
        return None
    older = Build.objects.filter(state=Build.State.READY, pk__lt=active.build_id)
    return next((build for build in older[:3] if not obstacle(build, active)), None)
