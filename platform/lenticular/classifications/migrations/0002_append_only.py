"""The database itself refuses to change the log.

PostgreSQL refuses UPDATE and DELETE. SQLite refuses UPDATE alone: Django's tests empty
tables there with DELETE, which is TRUNCATE on PostgreSQL. SQLite drops a table's triggers
whenever a later migration rebuilds the table: such a migration must run this one's
`forwards` again.
"""

from django.db import migrations

POSTGRESQL = """
CREATE FUNCTION refuse_change_of_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the classification log is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER log_is_append_only BEFORE UPDATE OR DELETE ON classifications_classification
FOR EACH ROW EXECUTE FUNCTION refuse_change_of_log();
"""
POSTGRESQL_BACK = """
DROP TRIGGER log_is_append_only ON classifications_classification;
DROP FUNCTION refuse_change_of_log();
"""
SQLITE = """
CREATE TRIGGER log_is_append_only BEFORE UPDATE ON classifications_classification
BEGIN SELECT RAISE(ABORT, 'the classification log is append-only'); END;
"""
SQLITE_BACK = "DROP TRIGGER log_is_append_only;"


def forwards(apps, schema_editor):
    _run(schema_editor, {"postgresql": POSTGRESQL, "sqlite": SQLITE})


def backwards(apps, schema_editor):
    _run(schema_editor, {"postgresql": POSTGRESQL_BACK, "sqlite": SQLITE_BACK})


def _run(schema_editor, by_vendor):
    # One statement as it stands: Django's own splitting trips over the trigger's body.
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(by_vendor[schema_editor.connection.vendor])


class Migration(migrations.Migration):
    dependencies = [("classifications", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
