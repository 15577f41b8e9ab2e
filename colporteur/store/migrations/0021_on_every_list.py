"""Who receives every list of a domain."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("store", "0020_inside")]

    operations = [
        migrations.CreateModel(
            name="OnEvery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("since", models.DateTimeField()),
                ("address", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.address")),
                ("domain", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.domain")),
            ],
            options={"db_table": "on_every_list", "constraints": [models.UniqueConstraint(fields=("domain", "address"), name="on_every_list_once")]},
        ),
    ]
