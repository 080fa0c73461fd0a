"""What the site holds: collections, documents, their revisions and passages, and the work still to be done on them."""

from searchsite.documents.models import among  # noqa: F401
from searchsite.documents.models.changes import Change, ChangeCounter
from searchsite.documents.models.documents import Collection, Document, DocumentQuerySet, Tag
from searchsite.documents.models.members import Membership, Role
from searchsite.documents.models.revisions import Passage, Revision
from searchsite.documents.models.uploads import Upload, UploadItem
from searchsite.documents.models.work import Job, JobQuerySet, State, Worker

__all__ = [
    "Change",
    "ChangeCounter",
    "Collection",
    "Document",
    "DocumentQuerySet",
    "Job",
    "JobQuerySet",
    "Membership",
    "Passage",
    "Revision",
    "Role",
    "State",
    "Tag",
    "Upload",
    "UploadItem",
    "Worker",
]
