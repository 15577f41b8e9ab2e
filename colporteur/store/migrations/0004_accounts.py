import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0003_members_sql'),
    ]

    operations = [
        migrations.CreateModel(
            name='IdentityProvider',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.TextField(unique=True)),
                ('issuer', models.TextField()),
                ('client_id', models.TextField()),
                ('secret', models.TextField(blank=True, default='')),
                ('new_accounts', models.BooleanField(default=False)),
                ('enabled', models.BooleanField(default=True)),
                ('created', models.DateTimeField()),
            ],
            options={
                'db_table': 'identity_provider',
            },
        ),
        migrations.AddField(
            model_name='person',
            name='session_round',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name='Credential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField(choices=[('passkey', 'Passkey'), ('app', 'App')])),
                ('name', models.TextField(blank=True, default='')),
                ('secret', models.TextField(blank=True, default='')),
                ('handle', models.BinaryField(null=True, unique=True)),
                ('public', models.BinaryField(null=True)),
                ('counter', models.BigIntegerField(default=0)),
                ('created', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='credentials', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'credential',
                'constraints': [models.UniqueConstraint(condition=models.Q(('kind', 'app')), fields=('person',), name='credential_one_app')],
            },
        ),
        migrations.CreateModel(
            name='Identity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.TextField()),
                ('email', models.TextField(blank=True, default='')),
                ('created', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to=settings.AUTH_USER_MODEL)),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to='store.identityprovider')),
            ],
            options={
                'db_table': 'identity',
                'constraints': [models.UniqueConstraint(fields=('provider', 'subject'), name='identity_once')],
            },
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.BinaryField()),
                ('used_at', models.DateTimeField(null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recovery_codes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'recovery_code',
                'constraints': [models.UniqueConstraint(fields=('person', 'digest'), name='recovery_code_once')],
            },
        ),
    ]
