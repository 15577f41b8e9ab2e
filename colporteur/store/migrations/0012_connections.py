"""Destinations that count the messages of a connection; Orange publishes a hundred, of which four fifths are used."""

from django.db import migrations, models


def _orange(apps, _editor):
    apps.get_model("store", "DestinationGroup").objects.filter(name="orange", messages=0).update(messages=80)


class Migration(migrations.Migration):

    dependencies = [("store", "0011_bounces")]

    operations = [
        migrations.AddField(model_name="destinationgroup", name="messages", field=models.SmallIntegerField(default=0)),
        migrations.RunPython(_orange, migrations.RunPython.noop),
    ]
