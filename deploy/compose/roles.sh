#!/bin/bash
# Make the roles of the database, if there are passwords, in files or not. The image sources this, so that it must not exit.
[ ! -r "$JOBSTORE_PASSWORD_FILE" ] || JOBSTORE_PASSWORD=$(cat "$JOBSTORE_PASSWORD_FILE")
[ ! -r "$MIGRATE_PASSWORD_FILE" ] || MIGRATE_PASSWORD=$(cat "$MIGRATE_PASSWORD_FILE")
if [ -n "$JOBSTORE_PASSWORD" ] && [ -n "$MIGRATE_PASSWORD" ]; then
    psql --set ON_ERROR_STOP=1 --set jobstore="$JOBSTORE_PASSWORD" --set migrate="$MIGRATE_PASSWORD" --quiet \
        --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
SELECT set_config('signoff.jobstore_password', :'jobstore', false), set_config('signoff.migrate_password', :'migrate', false) \g /dev/null
\i /roles.sql
SQL
fi
