import time

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class WebConfig(AppConfig):
    """Templates, template tags and static files."""

    name = "colporteur.web"
    label = "web"

    def ready(self) -> None:
        """Sessions know when they began."""
        user_logged_in.connect(_began, dispatch_uid="colporteur.web.began")


def _began(request, **_more) -> None:  # type: ignore[no-untyped-def]
    request.session["signed_in_at"] = int(time.time())
