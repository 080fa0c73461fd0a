from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DocumentsConfig(AppConfig):
    name = "searchsite.documents"
    label = "documents"
    verbose_name = _("Documents")

    def ready(self) -> None:
        from searchsite.documents import audited, changes

        changes.connect()
        audited.connect()
