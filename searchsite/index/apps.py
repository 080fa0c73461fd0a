from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class IndexConfig(AppConfig):
    name = "searchsite.index"
    label = "index"
    verbose_name = _("Index")

    def ready(self) -> None:
        from searchsite.index.checks import check_fitness

        register(check_fitness)
