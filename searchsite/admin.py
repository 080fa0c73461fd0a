"""What Django's admin does not show: the task runner's own rows. The jobs, with progress and reasons, are ours."""

from django.contrib import admin
from django_tasks_db.models import DBTaskResult

if admin.site.is_registered(DBTaskResult):
    admin.site.unregister(DBTaskResult)
