from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0037_given_twice'),
    ]

    operations = [
        migrations.AddField(
            model_name='campaign',
            name='lost',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
    ]
