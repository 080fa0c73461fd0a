"""Addresses of the library: collections, their documents and members, and uploads."""

from django.urls import path

from searchsite.documents.views import bulk, collection, documents, library, members, uploading, uploads

urlpatterns = [
    path("library/", library.library, name="library"),
    path("library/new/", library.new_collection, name="collection_new"),
    path("library/upload/", uploading.upload, name="upload"),
    path("library/upload/begin/", uploading.begin, name="upload_begin"),
    path("library/uploads/<int:pk>/", uploads.page, name="upload_page"),
    path("library/uploads/<int:pk>/files/", uploading.take_files, name="upload_files"),
    path("library/uploads/<int:pk>/cancel/", uploads.cancel, name="upload_cancel"),
    path("library/uploads/<int:pk>/again/", uploads.again, name="upload_again"),
    path("collections/<slug:slug>/", collection.page, name="collection"),
    path("collections/<slug:slug>/add/", documents.add, name="document_add"),
    path("collections/<slug:slug>/documents/", bulk.change, name="documents_change"),
    path("collections/<slug:slug>/settings/", collection.settings, name="collection_settings"),
    path("collections/<slug:slug>/members/", members.page, name="members"),
    path("collections/<slug:slug>/members/<int:pk>/change/", members.change, name="member_change"),
    path("collections/<slug:slug>/members/<int:pk>/remove/", members.remove, name="member_remove"),
    path("documents/<int:pk>/edit/", documents.edit, name="document_edit"),
    path("documents/<int:pk>/delete/", documents.delete, name="document_delete"),
    path("documents/<int:pk>/again/", documents.again, name="document_again"),
]
