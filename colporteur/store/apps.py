from django.apps import AppConfig


class StoreConfig(AppConfig):
    """The one Django app with tables."""

    name = "colporteur.store"
    label = "store"
