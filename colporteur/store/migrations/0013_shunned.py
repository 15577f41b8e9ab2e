"""Which transports refused a mailing that others take."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("store", "0012_connections")]

    operations = [
        migrations.AddField(model_name="mailing", name="shunned", field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
    ]
