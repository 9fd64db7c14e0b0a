"""Give the accounts that there are the keys of their user names."""

from django.db import migrations

from lenticular.accounts.names import name_key


def write_keys(apps, _schema_editor):
    users = apps.get_model("accounts", "User").objects
    for user in users.only("pk", "username").iterator(chunk_size=1000):
        users.filter(pk=user.pk).update(username_key=name_key(user.username))


class Migration(migrations.Migration):

    dependencies = [("accounts", "0002_display_names_and_sessions")]

    operations = [migrations.RunPython(write_keys, migrations.RunPython.noop)]
