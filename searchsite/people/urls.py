"""Addresses of what one does with one's own account. Those of the admin that ask for a password lead here, too."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from searchsite.people import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign_in"),
    path("sign-out/", login_not_required(LogoutView.as_view(next_page="search")), name="sign_out"),
    path("account/", views.account, name="account"),
    path("account/password/", views.Password.as_view(), name="password"),
    path("account/password/forgotten/", views.Forgotten.as_view(), name="password_forgotten"),
    path("account/password/new/<uidb64>/<token>/", views.NewPassword.as_view(), name="password_new"),
    path("admin/login/", views.admin_sign_in),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password")),
]
