"""Signing in and out, one's own account, and its password. Made of Django's views, with pages and limits of ours."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required, login_required
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.contrib.auth.models import User
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse, reverse_lazy
from django.utils.translation import get_language, gettext, override
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from searchsite.people import throttling
from searchsite.people.audit import later
from searchsite.people.forms import ForgottenForm, OwnPasswordForm
from searchsite.people.links import days_valid, has_password_here

ON_THE_WAY = {"sign_in", "password_forgotten", "password_new"}
"""Pages for those who are not signed in: nobody wants to be led back to them."""


class Throttled(FormView):  # type: ignore[type-arg]
    """A page that asks for a password. After too many tries it says how long to wait, with status 429."""

    def form_invalid(self, form: Form) -> HttpResponse:
        if not throttling.locked_out(self.request):
            return super().form_invalid(form)
        minutes = throttling.minutes_left(self.request)
        page = self.render_to_response(self.get_context_data(form=form, minutes=minutes), status=429)
        page["Retry-After"] = str(60 * minutes)
        return page


class SignIn(Throttled, auth.LoginView):
    template_name = "people/sign_in.html"

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        url = super().get_redirect_url()
        try:
            return "" if resolve(urlsplit(url).path).url_name in ON_THE_WAY else url
        except (Resolver404, ValueError):
            return url


class Password(Throttled, auth.PasswordChangeView):
    """Changing one's own password, which ends one's other sessions."""

    template_name = "people/password.html"
    form_class = OwnPasswordForm
    success_url = reverse_lazy("account")

    def dispatch(self, request: HttpRequest, *arguments: Any, **options: Any) -> HttpResponse:
        if request.user.is_authenticated and not has_password_here(request.user):
            raise Http404  # it signs in elsewhere, and has none here
        return super().dispatch(request, *arguments, **options)  # type: ignore[return-value]

    def get_form_kwargs(self) -> dict[str, Any]:
        return dict(super().get_form_kwargs(), request=self.request, label_suffix="")

    def form_valid(self, form: Form) -> HttpResponse:
        answer = super().form_valid(form)
        messages.success(
            self.request, gettext("Your password is changed. Wherever else you were signed in, you are no more.")
        )
        return answer


class Forgotten(auth.PasswordResetView):
    """Asking for a link by mail; the answer is the same whether there is such an account or not."""

    template_name = "people/forgotten.html"
    form_class = ForgottenForm
    email_template_name = "people/password_mail.txt"
    subject_template_name = "people/password_mail_subject.txt"

    def get_form_kwargs(self) -> dict[str, Any]:
        return dict(super().get_form_kwargs(), label_suffix="")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(
            by_mail=settings.SEARCHSITE_SENDS_MAIL, sent="sent" in self.request.GET, **context
        )

    def post(self, request: HttpRequest, *arguments: Any, **options: Any) -> HttpResponse:
        if not settings.SEARCHSITE_SENDS_MAIL:
            return redirect("password_forgotten")
        return super().post(request, *arguments, **options)

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        assert isinstance(form, ForgottenForm)
        form.request = self.request
        language = get_language()

        def send() -> None:
            with override(language):
                form.save(
                    subject_template_name=self.subject_template_name,
                    email_template_name=self.email_template_name,
                    use_https=self.request.is_secure(),
                    request=self.request,
                    extra_email_context={"days": days_valid()},  # type: ignore[dict-item]
                )

        later(send)  # how long the answer takes must not tell whether there was anything to send
        return redirect(f"{reverse('password_forgotten')}?sent")


class NewPassword(auth.PasswordResetConfirmView):
    """Where a link leads: setting a password without knowing the old one."""

    template_name = "people/new_password.html"
    success_url = reverse_lazy("sign_in")

    def get_form_kwargs(self) -> dict[str, Any]:
        return dict(super().get_form_kwargs(), label_suffix="")

    def get_user(self, uidb64: str) -> Any:
        account = super().get_user(uidb64)
        return account if account is not None and account.is_active else None

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        answer = super().form_valid(form)
        throttling.forgive(self.request, form.user.get_username())
        messages.success(self.request, gettext("Your password is set. Sign in with it."))
        return answer


@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """What the site knows of whoever asks."""
    assert isinstance(request.user, User)
    return render(
        request,
        "people/account.html",
        {"groups": request.user.groups.order_by("name"), "password_here": has_password_here(request.user)},
    )


@login_not_required
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin's own sign-in page, which is ours."""
    following = request.GET.get("next") or reverse("admin:index")
    return auth.redirect_to_login(following)
