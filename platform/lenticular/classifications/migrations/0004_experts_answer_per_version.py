"""An expert may answer for a galaxy again under another version of the tree.

On SQLite the table is rebuilt, which drops the trigger that keeps the log append-only: it is
made again, in both directions.
"""

from importlib import import_module

from django.db import migrations, models

append_only = import_module("lenticular.classifications.migrations.0002_append_only")


def make_trigger_again(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        append_only.forwards(apps, schema_editor)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_username_keys"),
        ("classifications", "0003_gold_standards"),
        ("subjects", "0001_initial"),
        ("workflows", "0003_teaching"),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, make_trigger_again),
        migrations.RemoveConstraint(
            model_name="classification",
            name="one_vote_per_volunteer",
        ),
        migrations.AddConstraint(
            model_name="classification",
            constraint=models.UniqueConstraint(
                models.F("workflow"),
                models.F("subject"),
                models.F("volunteer"),
                models.F("kind"),
                models.Case(
                    models.When(kind="expert", then="version"),
                    default=0,
                    output_field=models.BigIntegerField(),
                ),
                name="one_vote_per_volunteer",
            ),
        ),
        migrations.RunPython(make_trigger_again, migrations.RunPython.noop),
    ]
