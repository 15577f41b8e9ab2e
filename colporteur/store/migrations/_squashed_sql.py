"""What the database does by itself, as 0002 to 0032 left it: of 0001_squashed_0040_members_otherwise."""

FORWARDS = """
-- Rows of slices change often and have room for it; those of copies change seldom, so their pages are full.
ALTER TABLE slice SET (fillfactor = 30);
ALTER TABLE copy_row SET (fillfactor = 95);

-- Workers are told at once what may not leave any more (daemons.steering), whoever changed the row and by what statement.
CREATE FUNCTION colporteur_steered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY colporteur_steered; RETURN NULL; END $$;
CREATE TRIGGER mailing_steered AFTER UPDATE OF state ON mailing FOR EACH ROW
    WHEN (OLD.state = 'running' AND NEW.state IN ('paused', 'cancelled')) EXECUTE FUNCTION colporteur_steered();
CREATE TRIGGER list_steered AFTER UPDATE OF state ON list FOR EACH ROW
    WHEN (OLD.state = 'active' AND NEW.state <> 'active') EXECUTE FUNCTION colporteur_steered();
CREATE TRIGGER domain_steered AFTER UPDATE OF enabled ON domain FOR EACH ROW
    WHEN (OLD.enabled AND NOT NEW.enabled) EXECUTE FUNCTION colporteur_steered();
CREATE TRIGGER transport_steered AFTER UPDATE OF enabled ON transport FOR EACH ROW
    WHEN (OLD.enabled AND NOT NEW.enabled) EXECUTE FUNCTION colporteur_steered();

-- What a membership is found by (a statement that adds many writes it itself), and how many members a list has: by whatever statement they come and go.
-- A name of plain ASCII is folded without looking for accents in it, which takes ten times as long.
CREATE FUNCTION colporteur_folded(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length($1) = length($1) THEN lower($1) ELSE lower(translate($1, 'ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝàáâãäåçèéêëìíîïñòóôõöùúûüýÿ', 'aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuyy')) END $$;

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
CREATE TRIGGER membership_named BEFORE INSERT ON membership FOR EACH ROW WHEN (NEW.email = '') EXECUTE FUNCTION colporteur_member_named();
CREATE TRIGGER membership_renamed BEFORE UPDATE OF address_id ON membership FOR EACH ROW EXECUTE FUNCTION colporteur_member_named();
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

-- How a member received before, by whatever statement that changes.
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

-- What the messages of each list weigh, and the files of its newsletters.
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

-- How a copy stands is what its row and the bits of its slice say together; everybody but the statements of delivery reads, and
-- may write, the view.
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
