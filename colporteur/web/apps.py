from django.apps import AppConfig


class WebConfig(AppConfig):
    """Templates, template tags and static files."""

    name = "colporteur.web"
    label = "web"
