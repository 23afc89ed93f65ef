"""The roles of a database that is migrated and restored by its owner, who is no superuser."""

from typing import Final

#: Of all tests, since roles are the server's, and tests of several processes may have one.
PASSWORDS: Final = {"jobstore_password": "the-jobstores-own", "migrate_password": "who-migrates-has-another"}


def name_jobstore(superuser: str) -> str:
    """The URL of the jobstores' role in the database of a superuser's URL."""
    return f"postgresql://jobstore:{PASSWORDS['jobstore_password']}@{superuser.rpartition('@')[2]}"


def name_migrating(superuser: str) -> str:
    """The URL of the role that migrates."""
    return f"postgresql://signoff_migrate:{PASSWORDS['migrate_password']}@{superuser.rpartition('@')[2]}"
