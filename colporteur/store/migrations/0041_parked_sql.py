"""What was put aside of a paused mailing (``store.copies.parking``) may be claimed again as soon as it is paused no more, whoever let it go on and
by what statement."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION colporteur_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE slice SET due_at = NULL WHERE mailing_id = NEW.id AND NOT done AND due_at BETWEEN '9997-01-01' AND '9998-06-01';
    RETURN NULL;
END $$;
CREATE TRIGGER mailing_goes_on AFTER UPDATE OF state ON mailing FOR EACH ROW
    WHEN (OLD.state = 'paused' AND NEW.state <> 'paused') EXECUTE FUNCTION colporteur_goes_on();
"""
BACKWARDS = """
DROP TRIGGER mailing_goes_on ON mailing;
DROP FUNCTION colporteur_goes_on();
UPDATE slice SET due_at = NULL WHERE NOT done AND due_at BETWEEN '9997-01-01' AND '9998-06-01';
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0040_members_otherwise")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
