"""A mailing has about a thousand copies, PostgreSQL is told, whatever it finds: while there had been nothing but letters it believed that of one copy,
and whoever looked some up by their addresses then read all copies of the first large mailing."""

from django.db import migrations

FORWARDS = "ALTER TABLE copy_row ALTER COLUMN mailing_id SET (n_distinct = -0.001)"
BACKWARDS = "ALTER TABLE copy_row ALTER COLUMN mailing_id RESET (n_distinct)"


class Migration(migrations.Migration):

    dependencies = [("store", "0041_parked_sql")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
