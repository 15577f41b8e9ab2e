"""The database notes what the files of newsletters weigh, beside the messages of their list."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION colporteur_campaign_files_came() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO archive_weight (list_id, size) SELECT c.list_id, sum(f.size) FROM fresh f JOIN campaign c ON c.id = f.campaign_id GROUP BY 1;
    RETURN NULL;
END $$;
CREATE FUNCTION colporteur_campaign_files_went() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO archive_weight (list_id, size) SELECT c.list_id, -sum(f.size) FROM gone f JOIN campaign c ON c.id = f.campaign_id GROUP BY 1;
    RETURN NULL;
END $$;
CREATE TRIGGER campaign_files_came AFTER INSERT ON campaign_file REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION colporteur_campaign_files_came();
CREATE TRIGGER campaign_files_went AFTER DELETE ON campaign_file REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION colporteur_campaign_files_went();
INSERT INTO archive_weight (list_id, size) SELECT c.list_id, sum(f.size) FROM campaign_file f JOIN campaign c ON c.id = f.campaign_id GROUP BY 1;
"""
BACKWARDS = """
DROP TRIGGER campaign_files_came ON campaign_file;
DROP TRIGGER campaign_files_went ON campaign_file;
DROP FUNCTION colporteur_campaign_files_came();
DROP FUNCTION colporteur_campaign_files_went();
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0031_asked_attributes")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
