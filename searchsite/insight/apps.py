from django.apps import AppConfig


class InsightConfig(AppConfig):
    name = "searchsite.insight"
    label = "insight"
