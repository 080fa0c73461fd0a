"""The addresses of a site with single sign-on."""

from django.urls import include, path

from searchsite.urls import urlpatterns as of_any_site

urlpatterns = [*of_any_site, path("", include("searchsite.people.oidc.urls"))]
