"""Addresses of single sign-on; there only where a provider is configured."""

from django.urls import path

from searchsite.people.oidc import views

urlpatterns = [
    path("sign-in/oidc/", views.start, name="oidc_start"),
    path("sign-in/oidc/callback/", views.callback, name="oidc_callback"),
    path("sign-in/oidc/failed/<slug:why>/", views.failed, name="oidc_failed"),
]
