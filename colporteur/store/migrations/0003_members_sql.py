"""The database keeps with each membership the address and the name it is found by, and counts the members of each list, by
whatever statement they come and go: a page of a million members is read in order from one index and counts nobody."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION colporteur_folded(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(translate($1, 'ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿ', 'aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuyy')) $$;

CREATE FUNCTION colporteur_member_named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    SELECT a.email, colporteur_folded(coalesce(nullif(p.name, ''), nullif(a.name, ''), a.email)) INTO NEW.email, NEW.called
      FROM address a LEFT JOIN person p ON p.id = a.person_id WHERE a.id = NEW.address_id;
    RETURN NEW;
END $$;
CREATE FUNCTION colporteur_address_named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE membership SET email = NEW.email, called = colporteur_folded(coalesce(
        (SELECT nullif(name, '') FROM person WHERE id = NEW.person_id), nullif(NEW.name, ''), NEW.email)) WHERE address_id = NEW.id;
    RETURN NULL;
END $$;
CREATE FUNCTION colporteur_person_named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE membership SET called = colporteur_folded(coalesce(nullif(NEW.name, ''), nullif(a.name, ''), a.email))
      FROM address a WHERE a.person_id = NEW.id AND membership.address_id = a.id;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_named BEFORE INSERT OR UPDATE OF address_id ON membership FOR EACH ROW EXECUTE FUNCTION colporteur_member_named();
CREATE TRIGGER address_named AFTER UPDATE OF email, name, person_id ON address FOR EACH ROW
    WHEN ((OLD.email, OLD.name, OLD.person_id) IS DISTINCT FROM (NEW.email, NEW.name, NEW.person_id)) EXECUTE FUNCTION colporteur_address_named();
CREATE TRIGGER person_named AFTER UPDATE OF name ON person FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION colporteur_person_named();

CREATE FUNCTION colporteur_members_came() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO membership_tally (list_id, source_id, paused, delivery, n)
    SELECT list_id, source_id, paused, delivery, count(*) FROM fresh WHERE until IS NULL GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END $$;
CREATE FUNCTION colporteur_members_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO membership_tally (list_id, source_id, paused, delivery, n)
    SELECT list_id, source_id, paused, delivery, sum(n) FROM (
        SELECT list_id, source_id, paused, delivery, 1 AS n FROM fresh WHERE until IS NULL
        UNION ALL SELECT list_id, source_id, paused, delivery, -1 FROM gone WHERE until IS NULL) both_of_them
     GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0;
    RETURN NULL;
END $$;
CREATE FUNCTION colporteur_members_went() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO membership_tally (list_id, source_id, paused, delivery, n)
    SELECT list_id, source_id, paused, delivery, -count(*) FROM gone WHERE until IS NULL GROUP BY 1, 2, 3, 4;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_came AFTER INSERT ON membership REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION colporteur_members_came();
CREATE TRIGGER membership_changed AFTER UPDATE ON membership REFERENCING OLD TABLE AS gone NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION colporteur_members_changed();
CREATE TRIGGER membership_went AFTER DELETE ON membership REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION colporteur_members_went();
"""
BACKWARDS = """
DROP TRIGGER membership_came ON membership;
DROP TRIGGER membership_changed ON membership;
DROP TRIGGER membership_went ON membership;
DROP FUNCTION colporteur_members_came();
DROP FUNCTION colporteur_members_changed();
DROP FUNCTION colporteur_members_went();
DROP TRIGGER membership_named ON membership;
DROP TRIGGER address_named ON address;
DROP TRIGGER person_named ON person;
DROP FUNCTION colporteur_member_named();
DROP FUNCTION colporteur_address_named();
DROP FUNCTION colporteur_person_named();
DROP FUNCTION colporteur_folded(text);
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0002_steering_sql")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
