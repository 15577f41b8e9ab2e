from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0002_sign_in_link_address")]

    operations = [
        migrations.AddField(model_name="mailing", name="resume_at", field=models.DateTimeField(null=True)),
        # A copy is updated once or twice in its life: room on its page keeps the update out of the indexes.
        migrations.RunSQL("ALTER TABLE copy SET (fillfactor = 70)", "ALTER TABLE copy RESET (fillfactor)"),
        migrations.RunSQL("ALTER TABLE slice SET (fillfactor = 50)", "ALTER TABLE slice RESET (fillfactor)"),
    ]
