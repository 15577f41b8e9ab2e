"""Which mailboxes may lie inside our own network: those there were before go on as they did, new ones where an administrator of the
site named them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("store", "0019_scale_sql")]

    operations = [
        migrations.AddField(model_name="mailbox", name="internal", field=models.BooleanField(default=True)),
        migrations.AlterField(model_name="mailbox", name="internal", field=models.BooleanField(default=False)),
    ]
