import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0013_shunned'),
    ]

    operations = [
        migrations.CreateModel(
            name='Stream',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('until', models.DateTimeField(null=True)),
                ('stopped_at', models.DateTimeField(null=True)),
                ('why', models.TextField(blank=True, default='')),
                ('reason', models.TextField(blank=True, default='')),
                ('stops', models.SmallIntegerField(default=0)),
                ('judged_to', models.BigIntegerField(null=True)),
                ('group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='streams', to='store.destinationgroup')),
                ('transport', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='streams', to='store.transport')),
            ],
            options={
                'db_table': 'stream',
                'constraints': [models.UniqueConstraint(fields=('transport', 'group'), name='stream_once')],
            },
        ),
    ]
