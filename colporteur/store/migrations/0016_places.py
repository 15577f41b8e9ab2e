import django.db.models.deletion
from django.db import migrations, models

import colporteur.store.mailings


class Migration(migrations.Migration):

    dependencies = [("store", "0014_streams")]

    operations = [
        migrations.RenameModel("Copy", "CopyRow"),
        migrations.AlterModelTable("copyrow", "copy_row"),
        migrations.AddField("copyrow", "place", models.SmallIntegerField(null=True)),
        migrations.AddField("slice", "open", colporteur.store.mailings.Bits(null=True)),
        migrations.AlterField("copyrow", "mailing", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="store.mailing")),
        migrations.AlterField("copyrow", "address", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="store.address")),
        migrations.CreateModel(
            name="Copy",
            fields=[
                ("pk", models.CompositePrimaryKey("mailing_id", "address_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("slice", models.IntegerField()),
                ("state", models.SmallIntegerField(default=0)),
                ("attempts", models.SmallIntegerField(default=0)),
                ("code", models.SmallIntegerField(default=0)),
                ("address", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to="store.address")),
                ("mailing", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to="store.mailing")),
            ],
            options={"db_table": "copy", "managed": False},
        ),
    ]
