"""What Django's admin does not show: the task runner's own rows. The jobs, with progress and reasons, are ours."""

from typing import Any, NoReturn

from django.contrib import admin
from django.http import Http404, HttpRequest
from django_tasks_db.models import DBTaskResult

if admin.site.is_registered(DBTaskResult):
    admin.site.unregister(DBTaskResult)


def not_there(_request: HttpRequest, **_asked: Any) -> NoReturn:
    raise Http404
