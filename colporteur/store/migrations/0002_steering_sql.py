"""Workers are told at once what may not leave any more (``daemons.steering``), whoever changed the row and by what statement."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION colporteur_steered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY colporteur_steered; RETURN NULL; END $$;
CREATE TRIGGER mailing_steered AFTER UPDATE OF state ON mailing FOR EACH ROW
    WHEN (OLD.state = 'running' AND NEW.state IN ('paused', 'cancelled')) EXECUTE FUNCTION colporteur_steered();
CREATE TRIGGER list_steered AFTER UPDATE OF state ON list FOR EACH ROW
    WHEN (OLD.state = 'active' AND NEW.state <> 'active') EXECUTE FUNCTION colporteur_steered();
CREATE TRIGGER domain_steered AFTER UPDATE OF enabled ON domain FOR EACH ROW
    WHEN (OLD.enabled AND NOT NEW.enabled) EXECUTE FUNCTION colporteur_steered();
CREATE TRIGGER transport_steered AFTER UPDATE OF enabled ON transport FOR EACH ROW
    WHEN (OLD.enabled AND NOT NEW.enabled) EXECUTE FUNCTION colporteur_steered();
"""
BACKWARDS = """
DROP TRIGGER transport_steered ON transport;
DROP TRIGGER domain_steered ON domain;
DROP TRIGGER list_steered ON list;
DROP TRIGGER mailing_steered ON mailing;
DROP FUNCTION colporteur_steered();
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
