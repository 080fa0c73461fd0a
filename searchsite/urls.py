"""Addresses of the site."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from searchsite import health
from searchsite.search import views, views_why

urlpatterns = [
    path("", views.search_page, name="search"),
    path("documents/<int:pk>/", views.document_page, name="document"),
    path("documents/<int:pk>/similar/", views.similar_page, name="similar"),
    path("documents/<int:pk>/why/", views_why.why_page, name="why"),
    path("documents/<int:pk>/file", views.original_file, name="original"),
    path("documents/<int:pk>/pages/<int:number>.webp", views.page_picture, name="page_picture"),
    path("documents/<int:pk>/pages/<int:number>/marks.svg", views.page_marks, name="page_marks"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("sign-in/", auth.LoginView.as_view(template_name="sign_in.html"), name="sign_in"),
    path("sign-out/", auth.LogoutView.as_view(next_page="search"), name="sign_out"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
