import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Person',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('name', models.TextField(blank=True, default='')),
                ('language', models.TextField(blank=True, default='')),
                ('time_zone', models.TextField(blank=True, default='')),
                ('is_active', models.BooleanField(default=True)),
                ('is_admin', models.BooleanField(default=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'person',
            },
        ),
        migrations.CreateModel(
            name='AuthorPolicy',
            fields=[
                ('domain', models.TextField(primary_key=True, serialize=False)),
                ('policy', models.TextField(default='none')),
                ('looked_up_at', models.DateTimeField()),
                ('expires', models.DateTimeField()),
            ],
            options={
                'db_table': 'author_policy',
            },
        ),
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('sha256', models.BinaryField(primary_key=True, serialize=False)),
                ('size', models.BigIntegerField()),
                ('raw', models.BinaryField()),
            ],
            options={
                'db_table': 'blob',
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('how', models.TextField()),
                ('by', models.TextField(blank=True, default='')),
                ('wording', models.TextField(blank=True, default='')),
                ('client', models.TextField(blank=True, default='')),
                ('evidence', models.TextField(blank=True, default='')),
            ],
            options={
                'db_table': 'consent',
            },
        ),
        migrations.CreateModel(
            name='DestinationGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.TextField(unique=True)),
                ('title', models.TextField()),
                ('domains', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ('exchangers', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ('connections', models.SmallIntegerField(default=0)),
                ('replies', models.JSONField(default=list)),
                ('enabled', models.BooleanField(default=True)),
                ('percent', models.SmallIntegerField(default=100)),
                ('changed_at', models.DateTimeField(null=True)),
                ('rests_until', models.DateTimeField(null=True)),
                ('paused', models.BooleanField(default=False)),
                ('reason', models.TextField(blank=True, default='')),
                ('refusals', models.SmallIntegerField(default=0)),
                ('last_success', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'destination_group',
            },
        ),
        migrations.CreateModel(
            name='Domain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.TextField(unique=True)),
                ('enabled', models.BooleanField(default=True)),
                ('policy', models.JSONField(default=dict)),
                ('quotas', models.JSONField(default=dict)),
                ('creation', models.TextField(choices=[('nobody', 'Nobody'), ('administrators', 'Administrators'), ('request', 'Request'), ('anybody', 'Anybody')], default='administrators')),
                ('forbidden_names', models.TextField(blank=True, default='')),
                ('name_begins', models.TextField(blank=True, default='')),
                ('name_reason', models.TextField(blank=True, default='')),
                ('created', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'domain',
            },
        ),
        migrations.CreateModel(
            name='Opposition',
            fields=[
                ('digest', models.BinaryField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('reason', models.TextField(blank=True, default='')),
            ],
            options={
                'db_table': 'opposition',
            },
        ),
        migrations.CreateModel(
            name='Organisation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.TextField(unique=True)),
                ('language', models.TextField(default='en')),
                ('policy', models.JSONField(default=dict)),
                ('quotas', models.JSONField(default=dict)),
                ('forbidden_names', models.TextField(blank=True, default='')),
                ('name_begins', models.TextField(blank=True, default='')),
                ('name_reason', models.TextField(blank=True, default='')),
                ('created', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'organisation',
            },
        ),
        migrations.CreateModel(
            name='Passage',
            fields=[
                ('pk', models.CompositePrimaryKey('mailing', 'address', blank=True, editable=False, primary_key=True, serialize=False)),
                ('mailing', models.BigIntegerField()),
                ('address', models.BigIntegerField()),
                ('through', models.BigIntegerField(null=True)),
            ],
            options={
                'db_table': 'passage',
            },
        ),
        migrations.CreateModel(
            name='Address',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.TextField(unique=True)),
                ('name', models.TextField(blank=True, default='')),
                ('verified_at', models.DateTimeField(null=True)),
                ('paused_until', models.DateTimeField(null=True)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='addresses', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'address',
            },
        ),
        migrations.AddField(
            model_name='person',
            name='first_address',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='store.address'),
        ),
        migrations.CreateModel(
            name='Arrival',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('door', models.TextField()),
                ('mail_from', models.TextField(blank=True, default='')),
                ('recipients', models.JSONField(default=list)),
                ('received_at', models.DateTimeField()),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.blob')),
            ],
            options={
                'db_table': 'arrival',
            },
        ),
        migrations.CreateModel(
            name='BucketRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField()),
                ('key', models.TextField()),
                ('number', models.IntegerField()),
                ('seconds', models.IntegerField()),
                ('profile', models.TextField(blank=True, default='')),
                ('clock', models.FloatField(default=0.0)),
                ('seen', models.FloatField(default=0.0)),
                ('even_at', models.FloatField(default=0.0)),
                ('spare_at', models.FloatField(default=0.0)),
                ('urgent_until', models.FloatField(default=0.0)),
                ('bins', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), default=list, size=None)),
            ],
            options={
                'db_table': 'bucket',
                'constraints': [models.UniqueConstraint(fields=('kind', 'key', 'seconds'), name='bucket_once')],
            },
        ),
        migrations.CreateModel(
            name='Clock',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('latest', models.DateTimeField()),
            ],
            options={
                'db_table': 'clock',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='clock_one_row')],
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('part', models.TextField()),
                ('host', models.TextField()),
                ('pid', models.IntegerField()),
                ('at', models.DateTimeField()),
                ('release', models.TextField(blank=True, default='')),
            ],
            options={
                'db_table': 'heartbeat',
                'constraints': [models.UniqueConstraint(fields=('part', 'host', 'pid'), name='heartbeat_of_process')],
            },
        ),
        migrations.CreateModel(
            name='JournalEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('event', models.TextField()),
                ('organisation_id', models.BigIntegerField(null=True)),
                ('list_id', models.BigIntegerField(null=True)),
                ('post_id', models.BigIntegerField(null=True)),
                ('mailing_id', models.BigIntegerField(null=True)),
                ('address_id', models.BigIntegerField(null=True)),
                ('actor_id', models.BigIntegerField(null=True)),
                ('values', models.JSONField(default=dict)),
            ],
            options={
                'db_table': 'journal',
                'indexes': [models.Index(condition=models.Q(('list_id__isnull', False)), fields=['list_id', '-id'], name='journal_of_list'), models.Index(condition=models.Q(('post_id__isnull', False)), fields=['post_id', '-id'], name='journal_of_post'), models.Index(condition=models.Q(('mailing_id__isnull', False)), fields=['mailing_id', '-id'], name='journal_of_mailing'), models.Index(condition=models.Q(('address_id__isnull', False)), fields=['address_id', '-id'], name='journal_of_address')],
            },
        ),
        migrations.CreateModel(
            name='List',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.TextField(unique=True)),
                ('title', models.TextField(default='')),
                ('description', models.TextField(blank=True, default='')),
                ('template', models.TextField(default='discussion')),
                ('policy', models.JSONField(default=dict)),
                ('language', models.TextField(blank=True, default='')),
                ('state', models.TextField(choices=[('pending', 'Pending'), ('active', 'Active'), ('off', 'Off'), ('closed', 'Closed'), ('deleted', 'Deleted')], default='active')),
                ('list_id', models.TextField()),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('state_before', models.TextField(blank=True, default='')),
                ('purge_at', models.DateTimeField(null=True)),
                ('domain', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='lists', to='store.domain')),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lists', to='store.organisation')),
            ],
            options={
                'db_table': 'list',
            },
        ),
        migrations.CreateModel(
            name='JoinRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.TextField(blank=True, default='')),
                ('state', models.TextField(choices=[('asked', 'Asked'), ('invited', 'Invited'), ('waiting', 'Waiting'), ('joined', 'Joined'), ('refused', 'Refused')], default='asked')),
                ('door', models.TextField()),
                ('asked_at', models.DateTimeField()),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by', models.TextField(blank=True, default='')),
                ('reason', models.TextField(blank=True, default='')),
                ('address', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='join_requests', to='store.address')),
                ('list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='join_requests', to='store.list')),
            ],
            options={
                'db_table': 'join_request',
            },
        ),
        migrations.CreateModel(
            name='Exclusion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField()),
                ('address', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exclusions', to='store.address')),
                ('list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exclusions', to='store.list')),
            ],
            options={
                'db_table': 'exclusion',
            },
        ),
        migrations.CreateModel(
            name='Errand',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.TextField()),
                ('token', models.TextField(blank=True, default='')),
                ('recipient', models.TextField()),
                ('state', models.TextField(choices=[('received', 'Received'), ('done', 'Done'), ('quarantined', 'Quarantined'), ('discarded', 'Discarded')], default='received')),
                ('attempts', models.SmallIntegerField(default=0)),
                ('next_try', models.DateTimeField(null=True)),
                ('error', models.TextField(blank=True, default='')),
                ('received_at', models.DateTimeField()),
                ('arrival', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='store.arrival')),
                ('list', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='store.list')),
            ],
            options={
                'db_table': 'errand',
            },
        ),
        migrations.CreateModel(
            name='Alias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.TextField(unique=True)),
                ('list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='store.list')),
            ],
            options={
                'db_table': 'alias',
            },
        ),
        migrations.CreateModel(
            name='Mailbox',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField()),
                ('host', models.TextField()),
                ('port', models.IntegerField()),
                ('user', models.TextField()),
                ('password_sealed', models.TextField()),
                ('tls', models.TextField(default='ssl')),
                ('self_signed', models.BooleanField(default=False)),
                ('folder', models.TextField(default='INBOX')),
                ('move_to', models.TextField(blank=True, default='')),
                ('every', models.IntegerField(default=60)),
                ('enabled', models.BooleanField(default=True)),
                ('traits', models.JSONField(default=dict)),
                ('last_success', models.DateTimeField(null=True)),
                ('failures', models.IntegerField(default=0)),
                ('next_try', models.DateTimeField(null=True)),
                ('last_error', models.TextField(blank=True, default='')),
                ('told_at', models.DateTimeField(null=True)),
                ('list', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='mailbox', to='store.list')),
            ],
            options={
                'db_table': 'mailbox',
            },
        ),
        migrations.CreateModel(
            name='LeftBehind',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('validity', models.BigIntegerField(default=0)),
                ('uid', models.TextField()),
                ('attempts', models.SmallIntegerField(default=1)),
                ('next_try', models.DateTimeField(null=True)),
                ('error', models.TextField()),
                ('at', models.DateTimeField()),
                ('mailbox', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='store.mailbox')),
            ],
            options={
                'db_table': 'left_behind',
            },
        ),
        migrations.CreateModel(
            name='Collected',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('validity', models.BigIntegerField(default=0)),
                ('uid', models.TextField()),
                ('at', models.DateTimeField()),
                ('removed', models.BooleanField(default=False)),
                ('arrival', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='store.arrival')),
                ('mailbox', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='store.mailbox')),
            ],
            options={
                'db_table': 'collected',
            },
        ),
        migrations.CreateModel(
            name='MailDomain',
            fields=[
                ('domain', models.TextField(primary_key=True, serialize=False)),
                ('exchangers', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None)),
                ('looked_up_at', models.DateTimeField(null=True)),
                ('expires', models.DateTimeField()),
            ],
            options={
                'db_table': 'mail_domain',
                'indexes': [models.Index(fields=['expires'], name='mail_domain_expires')],
            },
        ),
        migrations.CreateModel(
            name='Mailing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField(choices=[('post', 'post'), ('letter', 'letter')])),
                ('letter', models.TextField(blank=True, default='')),
                ('state', models.TextField(choices=[('planned', 'planned'), ('running', 'running'), ('paused', 'paused'), ('done', 'done'), ('cancelled', 'cancelled')], default='planned')),
                ('priority', models.SmallIntegerField(default=5)),
                ('subject', models.TextField(blank=True, default='')),
                ('language', models.TextField(blank=True, default='')),
                ('rewriting', models.JSONField(default=dict)),
                ('envelope_sender', models.TextField(blank=True, default='')),
                ('audience_at', models.DateTimeField()),
                ('excluded', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('nested', models.JSONField(default=dict)),
                ('pace', models.TextField(default='usual')),
                ('chosen', models.TextField(blank=True, default='')),
                ('planned_to', models.BigIntegerField(default=0)),
                ('planned', models.BooleanField(default=False)),
                ('pause_reason', models.TextField(blank=True, default='')),
                ('resume_at', models.DateTimeField(null=True)),
                ('restored_from', models.DateTimeField(null=True)),
                ('attempts', models.SmallIntegerField(default=0)),
                ('error', models.TextField(blank=True, default='')),
                ('created', models.DateTimeField()),
                ('started', models.DateTimeField(null=True)),
                ('finished', models.DateTimeField(null=True)),
                ('blob', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.blob')),
                ('list', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='mailings', to='store.list')),
            ],
            options={
                'db_table': 'mailing',
            },
        ),
        migrations.CreateModel(
            name='Copy',
            fields=[
                ('pk', models.CompositePrimaryKey('mailing_id', 'address_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('slice', models.IntegerField()),
                ('state', models.SmallIntegerField(default=0)),
                ('attempts', models.SmallIntegerField(default=0)),
                ('code', models.SmallIntegerField(default=0)),
                ('address', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='store.address')),
                ('mailing', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, to='store.mailing')),
            ],
            options={
                'db_table': 'copy',
            },
        ),
        migrations.CreateModel(
            name='Nesting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('covers', models.BooleanField(default=True)),
                ('since', models.DateTimeField()),
                ('inner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='outer_edges', to='store.list')),
                ('outer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='inner_edges', to='store.list')),
            ],
            options={
                'db_table': 'nesting',
            },
        ),
        migrations.CreateModel(
            name='ListRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.TextField()),
                ('title', models.TextField(blank=True, default='')),
                ('template', models.TextField()),
                ('purpose', models.TextField()),
                ('state', models.TextField(choices=[('open', 'Open'), ('activated', 'Activated'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn')], default='open')),
                ('asked_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('reason', models.TextField(blank=True, default='')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('list', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='request', to='store.list')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='list_requests', to=settings.AUTH_USER_MODEL)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='list_requests', to='store.organisation')),
            ],
            options={
                'db_table': 'list_request',
            },
        ),
        migrations.AddField(
            model_name='domain',
            name='organisation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='domains', to='store.organisation'),
        ),
        migrations.CreateModel(
            name='Administrator',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField()),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='administers', to=settings.AUTH_USER_MODEL)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='administrators', to='store.organisation')),
            ],
            options={
                'db_table': 'administrator',
            },
        ),
        migrations.CreateModel(
            name='OwnTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.TextField(unique=True)),
                ('title', models.TextField()),
                ('sentence', models.TextField(blank=True, default='')),
                ('policy', models.JSONField(default=dict)),
                ('created', models.DateTimeField()),
                ('organisation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='templates', to='store.organisation')),
            ],
            options={
                'db_table': 'template',
            },
        ),
        migrations.CreateModel(
            name='Post',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.TextField(choices=[('received', 'received'), ('held', 'held'), ('accepted', 'accepted'), ('rejected', 'rejected'), ('discarded', 'discarded'), ('expired', 'expired'), ('quarantined', 'quarantined')], default='received')),
                ('message_id', models.TextField(blank=True, default='')),
                ('content_key', models.BinaryField()),
                ('size', models.BigIntegerField()),
                ('subject', models.TextField(blank=True, default='')),
                ('sender', models.TextField(blank=True, default='')),
                ('sender_name', models.TextField(blank=True, default='')),
                ('defects', models.JSONField(default=list)),
                ('received_at', models.DateTimeField()),
                ('judged_at', models.DateTimeField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by_address', models.TextField(blank=True, default='')),
                ('decision_reason', models.TextField(blank=True, default='')),
                ('expires_at', models.DateTimeField(null=True)),
                ('attempts', models.SmallIntegerField(default=0)),
                ('next_try', models.DateTimeField(null=True)),
                ('error', models.TextField(blank=True, default='')),
                ('address', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='store.address')),
                ('arrival', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.arrival')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='posts', to='store.list')),
                ('through', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='passed_on', to='store.post')),
            ],
            options={
                'db_table': 'post',
            },
        ),
        migrations.AddField(
            model_name='mailing',
            name='post',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='mailings', to='store.post'),
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.SmallIntegerField()),
                ('rule', models.TextField()),
                ('action', models.TextField()),
                ('reason', models.TextField()),
                ('values', models.JSONField(default=dict)),
                ('evidence', models.TextField(blank=True, default='')),
                ('post', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='findings', to='store.post')),
            ],
            options={
                'db_table': 'finding',
                'ordering': ['post', 'position'],
            },
        ),
        migrations.CreateModel(
            name='Refusal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mailing_id', models.BigIntegerField()),
                ('address_id', models.BigIntegerField()),
                ('at', models.DateTimeField()),
                ('code', models.SmallIntegerField()),
                ('text', models.TextField()),
            ],
            options={
                'db_table': 'refusal',
                'indexes': [models.Index(fields=['mailing_id', 'address_id'], name='refusal_of_copy')],
            },
        ),
        migrations.CreateModel(
            name='SignInAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('of', models.TextField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'db_table': 'sign_in_attempt',
                'indexes': [models.Index(fields=['of', 'at'], name='sign_in_attempt_of'), models.Index(fields=['at'], name='sign_in_attempt_at')],
            },
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('selector', models.TextField()),
                ('algorithm', models.TextField(choices=[('rsa', 'rsa'), ('ed25519', 'ed25519')])),
                ('state', models.TextField(choices=[('made', 'made'), ('published', 'published'), ('used', 'used'), ('retired', 'retired')], default='made')),
                ('private_sealed', models.TextField()),
                ('record', models.TextField()),
                ('seen', models.TextField(choices=[('live', 'live'), ('missing', 'missing'), ('other', 'other'), ('several', 'several'), ('unknown', 'unknown')], default='unknown')),
                ('looked_at', models.DateTimeField(null=True)),
                ('created', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('retired_at', models.DateTimeField(null=True)),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signing_keys', to='store.domain')),
            ],
            options={
                'db_table': 'signing_key',
            },
        ),
        migrations.CreateModel(
            name='SignInLink',
            fields=[
                ('digest', models.BinaryField(primary_key=True, serialize=False)),
                ('expires', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
                ('address', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='store.address')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'sign_in_link',
            },
        ),
        migrations.CreateModel(
            name='Site',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('policy', models.JSONField(default=dict)),
                ('quotas', models.JSONField(default=dict)),
                ('forbidden_names', models.TextField(blank=True, default='')),
                ('key_fingerprint', models.TextField(default='')),
                ('created', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'db_table': 'site',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='site_one_row')],
            },
        ),
        migrations.CreateModel(
            name='SlotsOut',
            fields=[
                ('pk', models.CompositePrimaryKey('bucket_id', 'lane', blank=True, editable=False, primary_key=True, serialize=False)),
                ('lane', models.BigIntegerField()),
                ('number', models.IntegerField()),
                ('burst', models.IntegerField()),
                ('touched', models.FloatField()),
                ('bucket', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='store.bucketrow')),
            ],
            options={
                'db_table': 'slots_out',
            },
        ),
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField(default='manual')),
                ('name', models.TextField(blank=True, default='')),
                ('feeds', models.TextField(default='member')),
                ('url_sealed', models.TextField(blank=True, default='')),
                ('secret_sealed', models.TextField(blank=True, default='')),
                ('options', models.JSONField(default=dict)),
                ('mapping', models.JSONField(default=dict)),
                ('every', models.IntegerField(default=3600)),
                ('refresh', models.BooleanField(default=False)),
                ('internal', models.BooleanField(default=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('next_run', models.DateTimeField(null=True)),
                ('running_until', models.DateTimeField(null=True)),
                ('run', models.BigIntegerField(default=0)),
                ('last_run', models.DateTimeField(null=True)),
                ('last_good', models.DateTimeField(null=True)),
                ('failures', models.IntegerField(default=0)),
                ('error', models.TextField(blank=True, default='')),
                ('told_at', models.DateTimeField(null=True)),
                ('counts', models.JSONField(default=dict)),
                ('waiting', models.JSONField(null=True)),
                ('approved', models.IntegerField(default=0)),
                ('list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sources', to='store.list')),
                ('of', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='feeding', to='store.list')),
            ],
            options={
                'db_table': 'source',
            },
        ),
        migrations.CreateModel(
            name='Role',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.TextField(choices=[('owner', 'Owner'), ('moderator', 'Moderator'), ('free_sender', 'Free Sender'), ('allowed_sender', 'Allowed Sender'), ('refused_sender', 'Refused Sender')])),
                ('domain', models.TextField(blank=True, default='')),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('address', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='roles', to='store.address')),
                ('group', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='roles_of_members', to='store.list')),
                ('list', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='roles', to='store.list')),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='roles', to=settings.AUTH_USER_MODEL)),
                ('source', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='store.source')),
            ],
            options={
                'db_table': 'role',
            },
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('delivery', models.TextField(choices=[('each', 'Each'), ('none', 'None')], default='each')),
                ('paused', models.BooleanField(default=False)),
                ('pause_from', models.DateTimeField(null=True)),
                ('pause_until', models.DateTimeField(null=True)),
                ('posting', models.TextField(blank=True, choices=[('', 'List'), ('free', 'Free'), ('moderated', 'Moderated'), ('never', 'Never')], db_default='', default='')),
                ('own_copy', models.BooleanField(null=True)),
                ('hidden', models.BooleanField(db_default=False, default=False)),
                ('note', models.TextField(blank=True, db_default='', default='')),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(null=True)),
                ('left_by', models.TextField(blank=True, default='')),
                ('email', models.TextField(db_collation='C', db_default='', default='', editable=False)),
                ('called', models.TextField(db_collation='C', db_default='', default='', editable=False)),
                ('address', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='memberships', to='store.address')),
                ('consent', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='memberships', to='store.consent')),
                ('list', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='store.list')),
                ('source', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='store.source')),
            ],
            options={
                'db_table': 'membership',
            },
        ),
        migrations.CreateModel(
            name='SourceEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attributes', models.JSONField(default=dict)),
                ('address', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='store.address')),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='store.source')),
            ],
            options={
                'db_table': 'source_entry',
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('list_id', models.BigIntegerField()),
                ('source_id', models.BigIntegerField(null=True)),
                ('paused', models.BooleanField()),
                ('delivery', models.TextField()),
                ('n', models.IntegerField()),
            ],
            options={
                'db_table': 'membership_tally',
                'indexes': [models.Index(fields=['list_id'], name='membership_tally_of')],
            },
        ),
        migrations.CreateModel(
            name='Transport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.TextField(unique=True)),
                ('kind', models.TextField()),
                ('url_sealed', models.TextField()),
                ('traits', models.JSONField(default=dict)),
                ('enabled', models.BooleanField(default=True)),
                ('is_default', models.BooleanField(default=False)),
                ('connections', models.SmallIntegerField(default=0)),
                ('by_destination', models.BooleanField(null=True)),
                ('last_success', models.DateTimeField(null=True)),
                ('failures', models.IntegerField(default=0)),
                ('trials', models.SmallIntegerField(default=0)),
                ('next_try', models.DateTimeField(null=True)),
                ('last_error', models.TextField(blank=True, default='')),
                ('told_at', models.DateTimeField(null=True)),
                ('checked_at', models.DateTimeField(null=True)),
                ('removed', models.DateTimeField(null=True)),
                ('organisation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='transports', to='store.organisation')),
            ],
            options={
                'db_table': 'transport',
            },
        ),
        migrations.CreateModel(
            name='Slice',
            fields=[
                ('pk', models.CompositePrimaryKey('mailing_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('number', models.IntegerField()),
                ('done', models.BooleanField(default=False)),
                ('due_at', models.DateTimeField(null=True)),
                ('priority', models.SmallIntegerField()),
                ('lease_until', models.DateTimeField(null=True)),
                ('generation', models.IntegerField(default=0)),
                ('size', models.IntegerField(default=0)),
                ('sent', models.IntegerField(default=0)),
                ('failed', models.IntegerField(default=0)),
                ('deferred', models.IntegerField(default=0)),
                ('cancelled', models.IntegerField(default=0)),
                ('mailing', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='slices', to='store.mailing')),
                ('transport', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='slices', to='store.transport')),
            ],
            options={
                'db_table': 'slice',
            },
        ),
        migrations.CreateModel(
            name='RouteStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rank', models.SmallIntegerField(default=0)),
                ('weight', models.SmallIntegerField(default=1)),
                ('domain', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='store.domain')),
                ('list', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='store.list')),
                ('organisation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='store.organisation')),
                ('transport', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='store.transport')),
            ],
            options={
                'db_table': 'route_step',
            },
        ),
        migrations.AddField(
            model_name='mailing',
            name='transport',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='store.transport'),
        ),
        migrations.CreateModel(
            name='Wording',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('letter', models.TextField()),
                ('language', models.TextField()),
                ('subject', models.TextField()),
                ('text', models.TextField()),
                ('html', models.TextField(blank=True, default='')),
                ('domain', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='store.domain')),
                ('list', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='store.list')),
                ('organisation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to='store.organisation')),
            ],
            options={
                'db_table': 'wording',
            },
        ),
        migrations.AddIndex(
            model_name='address',
            index=models.Index(fields=['email'], name='address_email_prefix', opclasses=['text_pattern_ops']),
        ),
        migrations.AddIndex(
            model_name='arrival',
            index=models.Index(fields=['received_at'], name='arrival_by_date'),
        ),
        migrations.AddIndex(
            model_name='joinrequest',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['list', '-id'], name='join_request_waiting'),
        ),
        migrations.AddConstraint(
            model_name='joinrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['asked', 'invited', 'waiting'])), fields=('list', 'address'), name='join_request_once'),
        ),
        migrations.AddConstraint(
            model_name='exclusion',
            constraint=models.UniqueConstraint(fields=('list', 'address'), name='exclusion_once'),
        ),
        migrations.AddIndex(
            model_name='errand',
            index=models.Index(condition=models.Q(('state', 'received')), fields=['id'], name='errand_due'),
        ),
        migrations.AddConstraint(
            model_name='leftbehind',
            constraint=models.UniqueConstraint(fields=('mailbox', 'validity', 'uid'), name='left_behind_once'),
        ),
        migrations.AddConstraint(
            model_name='collected',
            constraint=models.UniqueConstraint(fields=('mailbox', 'validity', 'uid'), name='collected_once'),
        ),
        migrations.AddIndex(
            model_name='copy',
            index=models.Index(fields=['mailing', 'slice'], name='copy_of_slice'),
        ),
        migrations.AddConstraint(
            model_name='nesting',
            constraint=models.UniqueConstraint(fields=('outer', 'inner'), name='nesting_once'),
        ),
        migrations.AddConstraint(
            model_name='nesting',
            constraint=models.CheckConstraint(condition=models.Q(('outer', models.F('inner')), _negated=True), name='nesting_not_itself'),
        ),
        migrations.AddIndex(
            model_name='listrequest',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['organisation', '-id'], name='list_request_open'),
        ),
        migrations.AddIndex(
            model_name='list',
            index=models.Index(condition=models.Q(('purge_at__isnull', False)), fields=['purge_at'], name='list_to_purge'),
        ),
        migrations.AddIndex(
            model_name='list',
            index=models.Index(fields=['organisation', 'address'], name='list_by_organisation'),
        ),
        migrations.AddIndex(
            model_name='list',
            index=models.Index(fields=['address'], name='list_address_prefix', opclasses=['text_pattern_ops']),
        ),
        migrations.AddConstraint(
            model_name='administrator',
            constraint=models.UniqueConstraint(fields=('organisation', 'person'), name='administrator_once'),
        ),
        migrations.AddIndex(
            model_name='post',
            index=models.Index(fields=['list', '-id'], name='post_of_list'),
        ),
        migrations.AddIndex(
            model_name='post',
            index=models.Index(fields=['list', 'content_key'], name='post_duplicate'),
        ),
        migrations.AddIndex(
            model_name='post',
            index=models.Index(condition=models.Q(('state', 'received')), fields=['id'], name='post_to_judge'),
        ),
        migrations.AddIndex(
            model_name='post',
            index=models.Index(condition=models.Q(('state', 'held')), fields=['list', 'expires_at'], name='post_held'),
        ),
        migrations.AddConstraint(
            model_name='signingkey',
            constraint=models.UniqueConstraint(fields=('domain', 'selector'), name='signing_key_selector'),
        ),
        migrations.AddConstraint(
            model_name='signingkey',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'used')), fields=('domain', 'algorithm'), name='signing_key_one_used'),
        ),
        migrations.AddIndex(
            model_name='source',
            index=models.Index(condition=models.Q(('kind', 'manual'), _negated=True), fields=['next_run'], name='source_due'),
        ),
        migrations.AddConstraint(
            model_name='role',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('address__isnull', True), ('domain', ''), ('group__isnull', True), ('person__isnull', False)), models.Q(('address__isnull', False), ('domain', ''), ('group__isnull', True), ('person__isnull', True)), models.Q(('address__isnull', True), ('domain', ''), ('group__isnull', False), ('person__isnull', True)), models.Q(('address__isnull', True), ('group__isnull', True), ('person__isnull', True), models.Q(('domain', ''), _negated=True)), _connector='OR'), name='role_has_one_holder'),
        ),
        migrations.AddConstraint(
            model_name='role',
            constraint=models.UniqueConstraint(condition=models.Q(('group__isnull', False)), fields=('list', 'kind', 'group'), name='role_once_per_group'),
        ),
        migrations.AddConstraint(
            model_name='role',
            constraint=models.UniqueConstraint(condition=models.Q(('domain', ''), _negated=True), fields=('list', 'kind', 'domain'), name='role_once_per_domain'),
        ),
        migrations.AddConstraint(
            model_name='role',
            constraint=models.UniqueConstraint(condition=models.Q(('person__isnull', False)), fields=('list', 'kind', 'person'), name='role_once_per_person'),
        ),
        migrations.AddConstraint(
            model_name='role',
            constraint=models.UniqueConstraint(condition=models.Q(('address__isnull', False)), fields=('list', 'kind', 'address'), name='role_once_per_address'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(fields=['list', 'address', 'since'], name='membership_audience'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(fields=['address'], name='membership_of_address'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('until__isnull', True)), fields=['list', 'email'], name='membership_by_email'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('until__isnull', True)), fields=['list', 'called', 'email'], name='membership_by_name'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(models.F('list'), models.Func(models.F('email'), models.Value('@'), models.Value(2), function='split_part', output_field=models.TextField(db_collation='C')), models.F('email'), condition=models.Q(('until__isnull', True)), name='membership_by_host'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('until__isnull', True), models.Q(('paused', True), models.Q(('delivery', 'each'), _negated=True), _connector='OR')), fields=['list', 'email'], name='membership_unusual'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('pause_from__isnull', False)), fields=['pause_from'], name='membership_pause_begins'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('pause_until__isnull', False)), fields=['pause_until'], name='membership_pause_ends'),
        ),
        migrations.AddIndex(
            model_name='membership',
            index=models.Index(condition=models.Q(('source__isnull', False), ('until__isnull', True)), fields=['source', 'email'], name='membership_by_source'),
        ),
        migrations.AddConstraint(
            model_name='membership',
            constraint=models.UniqueConstraint(condition=models.Q(('until__isnull', True)), fields=('list', 'address'), name='membership_once'),
        ),
        migrations.AddConstraint(
            model_name='sourceentry',
            constraint=models.UniqueConstraint(fields=('source', 'address'), name='source_entry_once'),
        ),
        migrations.AddConstraint(
            model_name='transport',
            constraint=models.UniqueConstraint(condition=models.Q(('is_default', True), ('organisation__isnull', True)), fields=('is_default',), name='transport_one_default'),
        ),
        migrations.AddIndex(
            model_name='slice',
            index=models.Index(condition=models.Q(('done', False), ('due_at__isnull', True)), fields=['transport', 'priority', 'mailing', 'number'], name='slice_ready'),
        ),
        migrations.AddIndex(
            model_name='slice',
            index=models.Index(condition=models.Q(('done', False), ('due_at__isnull', False)), fields=['due_at'], name='slice_waiting'),
        ),
        migrations.AddIndex(
            model_name='slice',
            index=models.Index(condition=models.Q(('done', False), ('due_at__isnull', False)), fields=['mailing', 'due_at'], name='slice_to_retry'),
        ),
        migrations.AddIndex(
            model_name='slice',
            index=models.Index(condition=models.Q(('done', False)), fields=['mailing', 'number'], name='slice_open'),
        ),
        migrations.AddConstraint(
            model_name='routestep',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('list__isnull', True), ('domain__isnull', True)), models.Q(('list__isnull', True), ('organisation__isnull', True)), models.Q(('domain__isnull', True), ('organisation__isnull', True)), _connector='OR'), name='route_step_has_one_place'),
        ),
        migrations.AddConstraint(
            model_name='routestep',
            constraint=models.UniqueConstraint(fields=('list', 'domain', 'organisation', 'transport'), name='route_step_once', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='mailing',
            index=models.Index(fields=['list', '-id'], name='mailing_of_list'),
        ),
        migrations.AddIndex(
            model_name='mailing',
            index=models.Index(condition=models.Q(('planned', False)), fields=['id'], name='mailing_to_plan'),
        ),
        migrations.AddIndex(
            model_name='mailing',
            index=models.Index(condition=models.Q(('state__in', ['planned', 'running', 'paused'])), fields=['id'], name='mailing_open'),
        ),
        migrations.AddIndex(
            model_name='mailing',
            index=models.Index(condition=models.Q(('finished__isnull', True), ('state', 'cancelled')), fields=['id'], name='mailing_to_cancel'),
        ),
        migrations.AddConstraint(
            model_name='wording',
            constraint=models.UniqueConstraint(fields=('letter', 'language', 'organisation', 'domain', 'list'), name='wording_once', nulls_distinct=False),
        ),
        migrations.RunSQL(
            "ALTER TABLE copy SET (fillfactor = 45); ALTER TABLE slice SET (fillfactor = 30)",
            "ALTER TABLE copy RESET (fillfactor); ALTER TABLE slice RESET (fillfactor)",
        ),
    ]
