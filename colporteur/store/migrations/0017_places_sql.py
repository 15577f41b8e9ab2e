"""How a copy stands is what its row and the bits of its slice say together; everybody but the statements of delivery reads, and
may write, the view. Rows change seldom now, so their pages are full."""

from django.db import migrations

FORWARDS = """
ALTER TABLE copy_row SET (fillfactor = 95);
CREATE VIEW copy AS
SELECT r.mailing_id, r.address_id, r.slice,
       CASE WHEN b.accepted THEN 2::smallint ELSE r.state END AS state,
       CASE WHEN b.accepted THEN 1::smallint ELSE r.attempts END AS attempts,
       CASE WHEN b.accepted THEN 250::smallint ELSE r.code END AS code
  FROM copy_row r
 CROSS JOIN LATERAL (
    SELECT r.state = 0 AND r.place IS NOT NULL AND (SELECT get_bit(s.open, r.place) FROM slice s WHERE s.mailing_id = r.mailing_id AND s.number = r.slice) = 0 AS accepted
    OFFSET 0) b;
CREATE FUNCTION colporteur_copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO copy_row (mailing_id, address_id, slice, state, attempts, code)
        VALUES (NEW.mailing_id, NEW.address_id, NEW.slice, coalesce(NEW.state, 0), coalesce(NEW.attempts, 0), coalesce(NEW.code, 0));
        RETURN NEW;
    END IF;
    UPDATE slice s SET open = set_bit(s.open, r.place, 0) FROM copy_row r
     WHERE r.mailing_id = OLD.mailing_id AND r.address_id = OLD.address_id AND r.place IS NOT NULL
       AND s.mailing_id = r.mailing_id AND s.number = r.slice AND s.open IS NOT NULL;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM copy_row WHERE mailing_id = OLD.mailing_id AND address_id = OLD.address_id;
        RETURN OLD;
    END IF;
    UPDATE copy_row SET slice = NEW.slice, state = NEW.state, attempts = NEW.attempts, code = NEW.code, place = NULL
     WHERE mailing_id = OLD.mailing_id AND address_id = OLD.address_id;
    RETURN NEW;
END $$;
CREATE TRIGGER copy_written INSTEAD OF INSERT OR UPDATE OR DELETE ON copy FOR EACH ROW EXECUTE FUNCTION colporteur_copy();
"""
BACKWARDS = """
UPDATE copy_row r SET state = 2, attempts = 1, code = 250 FROM slice s
 WHERE s.mailing_id = r.mailing_id AND s.number = r.slice AND r.state = 0 AND r.place IS NOT NULL AND get_bit(s.open, r.place) = 0;
DROP VIEW copy;
DROP FUNCTION colporteur_copy();
ALTER TABLE copy_row SET (fillfactor = 45);
"""


class Migration(migrations.Migration):

    dependencies = [("store", "0016_places")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
