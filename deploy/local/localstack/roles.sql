-- Make the roles of a database: who owns its tables, who migrates them, and the jobstores, who own nothing and are no superusers.
--
-- To be executed by a superuser in the database itself, any number of times, with the passwords in the settings
-- signoff.migrate_password and signoff.jobstore_password. What a superuser has made of the tables before gets its owner. What the jobstores may
-- do with each table is granted by the migrations.
DO $$
DECLARE
    it record;
BEGIN
    IF to_regrole('signoff_owner') IS NULL THEN CREATE ROLE signoff_owner NOLOGIN; END IF;
    IF to_regrole('signoff_migrate') IS NULL THEN CREATE ROLE signoff_migrate; END IF;
    IF to_regrole('jobstore') IS NULL THEN CREATE ROLE jobstore; END IF;
    GRANT signoff_owner TO signoff_migrate;
    ALTER ROLE signoff_migrate SET role = 'signoff_owner';
    EXECUTE format('ALTER ROLE signoff_migrate LOGIN PASSWORD %L', current_setting('signoff.migrate_password'));
    EXECUTE format('ALTER ROLE jobstore LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD %L',
        current_setting('signoff.jobstore_password'));
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO jobstore', current_database());
    EXECUTE format('ALTER DATABASE %I OWNER TO signoff_owner', current_database());
    FOR it IN
        SELECT format('ALTER TABLE %s OWNER TO signoff_owner', oid::regclass) AS change FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
            AND relowner <> 'signoff_owner'::regrole
        UNION ALL
        SELECT format('ALTER SEQUENCE %s OWNER TO signoff_owner', oid::regclass) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND relowner <> 'signoff_owner'::regrole
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i'))
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO signoff_owner', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proowner <> 'signoff_owner'::regrole
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    LOOP
        EXECUTE it.change;
    END LOOP;
END $$;
