import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0004_accounts'),
        ('store', '0004_look'),
    ]

    operations = [
        migrations.AddField(model_name='joinrequest', name='words', field=models.TextField(blank=True, db_default='', default='')),
        migrations.AddField(model_name='joinrequest', name='language', field=models.TextField(blank=True, db_default='', default='')),
        migrations.AddField(model_name='joinrequest', name='client', field=models.TextField(blank=True, db_default='', default='')),
        migrations.AddField(model_name='joinrequest', name='proof', field=models.TextField(blank=True, db_default='', default='')),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file', models.TextField(blank=True, default='')),
                ('text', models.TextField()),
                ('columns', models.JSONField(null=True)),
                ('bring_back', models.BooleanField(default=False)),
                ('client', models.TextField(blank=True, default='')),
                ('state', models.TextField(choices=[('reading', 'Reading'), ('ready', 'Ready'), ('adding', 'Adding'), ('done', 'Done'), ('failed', 'Failed'), ('dropped', 'Dropped')], default='reading')),
                ('total', models.IntegerField(default=0)),
                ('done', models.IntegerField(default=0)),
                ('added', models.IntegerField(default=0)),
                ('already', models.IntegerField(default=0)),
                ('refused', models.JSONField(default=list)),
                ('left', models.JSONField(default=list)),
                ('error', models.TextField(blank=True, default='')),
                ('created', models.DateTimeField()),
                ('finished', models.DateTimeField(null=True)),
                ('list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='store.list')),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'enrolment',
                'indexes': [models.Index(condition=models.Q(('state__in', ['reading', 'adding'])), fields=['id'], name='enrolment_to_do'), models.Index(fields=['created'], name='enrolment_by_age')],
            },
        ),
    ]
