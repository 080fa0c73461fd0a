"""Addresses of the site."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language

from searchsite import health
from searchsite.admin import not_there
from searchsite.search import views, views_why
from searchsite.theme import set_theme

urlpatterns = [
    path("", views.search_page, name="search"),
    path("documents/<int:pk>/", views.document_page, name="document"),
    path("documents/<int:pk>/similar/", views.similar_page, name="similar"),
    path("documents/<int:pk>/why/", views_why.why_page, name="why"),
    path("documents/<int:pk>/file", views.original_file, name="original"),
    path("documents/<int:pk>/pages/<int:number>.webp", views.page_picture, name="page_picture"),
    path("documents/<int:pk>/pages/<int:number>/marks.svg", views.page_marks, name="page_marks"),
    path("", include("searchsite.documents.urls")),
    path("healthz", login_not_required(health.healthz), name="healthz"),
    path("readyz", login_not_required(health.readyz), name="readyz"),
    path("i18n/setlang/", login_not_required(set_language), name="set_language"),
    path("theme/", login_not_required(set_theme), name="set_theme"),
    path("", include("searchsite.people.urls")),
    path("admin/r/<path:_any>", login_not_required(not_there)),  # Django's tells of anything whether it is there
    path("admin/", admin.site.urls),
]
if settings.SEARCHSITE_OIDC:
    urlpatterns += [path("", include("searchsite.people.oidc.urls"))]
