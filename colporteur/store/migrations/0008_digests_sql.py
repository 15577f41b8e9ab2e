"""The database keeps how a member received before, by whatever statement that changes."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION colporteur_delivery_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.delivery_since IS NOT DISTINCT FROM OLD.delivery_since THEN NEW.delivery_since := clock_timestamp(); END IF;
    IF OLD.delivery <> 'none' AND coalesce(OLD.delivery_since, OLD.since) < NEW.delivery_since THEN
        INSERT INTO former_delivery (membership_id, list_id, delivery, since, until)
        VALUES (OLD.id, OLD.list_id, OLD.delivery, coalesce(OLD.delivery_since, OLD.since), NEW.delivery_since);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER membership_delivery BEFORE UPDATE OF delivery ON membership FOR EACH ROW
    WHEN (OLD.until IS NULL AND OLD.delivery <> NEW.delivery) EXECUTE FUNCTION colporteur_delivery_changed();
"""
BACKWARDS = """
DROP TRIGGER membership_delivery ON membership;
DROP FUNCTION colporteur_delivery_changed();
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0007_digests")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
