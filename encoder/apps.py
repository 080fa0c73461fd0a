"""The encoder as a Django app: its system checks and its command. Loads neither torch nor transformers."""

from django.apps import AppConfig
from django.core.checks import register


class EncoderConfig(AppConfig):
    name = "encoder"
    label = "encoder"

    def ready(self) -> None:
        from encoder.checks import check_pooling, check_reranker

        register(check_pooling)
        register(check_reranker)
