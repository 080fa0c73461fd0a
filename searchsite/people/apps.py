from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "searchsite.people"
    label = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        from searchsite.people import audit, audited, checks  # noqa: F401 - the checks register themselves

        audit.connect()
        audited.connect()
