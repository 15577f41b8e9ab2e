import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0006_resending")]

    operations = [
        migrations.CreateModel(
            name="DestinationGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField(unique=True)),
                ("title", models.TextField()),
                ("domains", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ("exchangers", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ("connections", models.SmallIntegerField(default=0)),
                ("replies", models.JSONField(default=list)),
                ("enabled", models.BooleanField(default=True)),
                ("percent", models.SmallIntegerField(default=100)),
                ("changed_at", models.DateTimeField(null=True)),
                ("rests_until", models.DateTimeField(null=True)),
                ("paused", models.BooleanField(default=False)),
                ("reason", models.TextField(blank=True, default="")),
                ("refusals", models.SmallIntegerField(default=0)),
                ("last_success", models.DateTimeField(null=True)),
            ],
            options={"db_table": "destination_group"},
        ),
        migrations.AddField(model_name="transport", name="by_destination", field=models.BooleanField(null=True)),
        migrations.CreateModel(
            name="BucketRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.TextField()),
                ("key", models.TextField()),
                ("number", models.IntegerField()),
                ("seconds", models.IntegerField()),
                ("profile", models.TextField(blank=True, default="")),
                ("clock", models.FloatField(default=0.0)),
                ("seen", models.FloatField(default=0.0)),
                ("even_at", models.FloatField(default=0.0)),
                ("spare_at", models.FloatField(default=0.0)),
                ("urgent_until", models.FloatField(default=0.0)),
                ("bins", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), default=list, size=None)),
            ],
            options={"db_table": "bucket", "constraints": [models.UniqueConstraint(fields=("kind", "key", "seconds"), name="bucket_once")]},
        ),
        migrations.CreateModel(
            name="MailDomain",
            fields=[
                ("domain", models.TextField(primary_key=True, serialize=False)),
                ("exchangers", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ("looked_up_at", models.DateTimeField(null=True)),
                ("expires", models.DateTimeField()),
            ],
            options={"db_table": "mail_domain", "indexes": [models.Index(fields=["expires"], name="mail_domain_expires")]},
        ),
        migrations.CreateModel(
            name="SlotsOut",
            fields=[
                ("pk", models.CompositePrimaryKey("bucket_id", "lane", blank=True, editable=False, primary_key=True, serialize=False)),
                ("lane", models.BigIntegerField()),
                ("number", models.IntegerField()),
                ("burst", models.IntegerField()),
                ("touched", models.FloatField()),
                ("bucket", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to="store.bucketrow")),
            ],
            options={"db_table": "slots_out"},
        ),
    ]
