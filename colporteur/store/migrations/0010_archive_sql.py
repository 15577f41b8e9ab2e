"""The database notes what the messages of each list weigh, by whatever statement they come and go."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION colporteur_posts_came() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO archive_weight (list_id, size) SELECT list_id, sum(size) FROM fresh GROUP BY 1;
    RETURN NULL;
END $$;
CREATE FUNCTION colporteur_posts_went() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO archive_weight (list_id, size) SELECT list_id, -sum(size) FROM gone GROUP BY 1;
    RETURN NULL;
END $$;
CREATE FUNCTION colporteur_post_weighs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO archive_weight (list_id, size) VALUES (OLD.list_id, -OLD.size), (NEW.list_id, NEW.size);
    RETURN NULL;
END $$;
CREATE TRIGGER posts_came AFTER INSERT ON post REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION colporteur_posts_came();
CREATE TRIGGER posts_went AFTER DELETE ON post REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION colporteur_posts_went();
CREATE TRIGGER post_weighs AFTER UPDATE OF size, list_id ON post FOR EACH ROW
    WHEN ((OLD.list_id, OLD.size) IS DISTINCT FROM (NEW.list_id, NEW.size)) EXECUTE FUNCTION colporteur_post_weighs();
INSERT INTO archive_weight (list_id, size) SELECT list_id, sum(size) FROM post GROUP BY 1;
"""
BACKWARDS = """
DROP TRIGGER posts_came ON post;
DROP TRIGGER posts_went ON post;
DROP TRIGGER post_weighs ON post;
DROP FUNCTION colporteur_posts_came();
DROP FUNCTION colporteur_posts_went();
DROP FUNCTION colporteur_post_weighs();
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0009_archive")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
