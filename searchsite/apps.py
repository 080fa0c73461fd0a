"""The project package as an app: home of the doors that belong to no single room (tasks, processes, health)."""

from django.apps import AppConfig


class SearchsiteConfig(AppConfig):
    name = "searchsite"
    label = "searchsite"

    def ready(self) -> None:
        from searchsite import tasks

        tasks.connect()
