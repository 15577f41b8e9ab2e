"""A statement that adds many members writes what they are found by itself, set-based; the database still does it for every other."""

from django.db import migrations

FORWARDS = """
DROP TRIGGER membership_named ON membership;
CREATE TRIGGER membership_named BEFORE INSERT ON membership FOR EACH ROW WHEN (NEW.email = '') EXECUTE FUNCTION colporteur_member_named();
CREATE TRIGGER membership_renamed BEFORE UPDATE OF address_id ON membership FOR EACH ROW EXECUTE FUNCTION colporteur_member_named();
"""
BACKWARDS = """
DROP TRIGGER membership_renamed ON membership;
DROP TRIGGER membership_named ON membership;
CREATE TRIGGER membership_named BEFORE INSERT OR UPDATE OF address_id ON membership FOR EACH ROW EXECUTE FUNCTION colporteur_member_named();
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0018_scale")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
