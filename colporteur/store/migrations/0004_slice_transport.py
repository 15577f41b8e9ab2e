import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0003_restored'),
    ]

    operations = [
        migrations.AlterField(
            model_name='membership',
            name='list',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='store.list'),
        ),
        migrations.RemoveIndex(
            model_name='slice',
            name='slice_due',
        ),
        migrations.AddField(
            model_name='slice',
            name='transport',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='slices', to='store.transport'),
        ),
        migrations.AlterField(
            model_name='slice',
            name='due_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='slice',
            name='mailing',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='slices', to='store.mailing'),
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
            model_name='mailing',
            index=models.Index(condition=models.Q(('finished__isnull', True), ('state', 'cancelled')), fields=['id'], name='mailing_to_cancel'),
        ),
        migrations.AddIndex(
            model_name='slice',
            index=models.Index(condition=models.Q(('done', False)), fields=['mailing', 'number'], name='slice_open'),
        ),
    ]
