from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0019_nesting'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('pause_from__isnull', False)), fields=['pause_from'], name='membership_pause_begins'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('pause_until__isnull', False)), fields=['pause_until'], name='membership_pause_ends'),
        ),
    ]
