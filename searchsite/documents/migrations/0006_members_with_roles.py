"""Members get a role: those who could read become readers."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def readers(apps, _schema_editor):
    Collection = apps.get_model("documents", "Collection")
    Membership = apps.get_model("documents", "Membership")
    for name in ("user", "group"):
        through = getattr(Collection, f"{name}s").through
        pairs = through.objects.values_list("collection_id", f"{name}_id")
        made = (
            Membership(**{"collection_id": collection, f"{name}_id": member, "role": "reader"})
            for collection, member in pairs.iterator()
        )
        Membership.objects.bulk_create(made, batch_size=500)


def members(apps, _schema_editor):
    """The way back: whoever has a role can read."""
    Collection = apps.get_model("documents", "Collection")
    Membership = apps.get_model("documents", "Membership")
    for name in ("user", "group"):
        through = getattr(Collection, f"{name}s").through
        pairs = Membership.objects.exclude(**{name: None}).values_list("collection_id", f"{name}_id")
        made = (
            through(**{"collection_id": collection, f"{name}_id": member}) for collection, member in pairs.iterator()
        )
        through.objects.bulk_create(made, batch_size=500)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("documents", "0005_comparison_jobs"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[("reader", "reader"), ("editor", "editor"), ("manager", "manager")],
                        default="reader",
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                ("created", models.DateTimeField(auto_now_add=True, verbose_name="since")),
                (
                    "collection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="documents.collection",
                        verbose_name="collection",
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="auth.group",
                        verbose_name="group",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="person",
                    ),
                ),
            ],
            options={"verbose_name": "member", "verbose_name_plural": "members", "ordering": ["pk"]},
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("group__isnull", False), ("user__isnull", True)),
                    models.Q(("group__isnull", True), ("user__isnull", False)),
                    _connector="OR",
                ),
                name="a_person_or_a_group",
                violation_error_message="Name a person or a group, one of the two.",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                fields=("collection", "user"),
                name="one_role_a_person",
                violation_error_message="This person is a member already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                fields=("collection", "group"),
                name="one_role_a_group",
                violation_error_message="This group is a member already.",
            ),
        ),
        migrations.RunPython(readers, members),
        migrations.RemoveField(model_name="collection", name="users"),
        migrations.RemoveField(model_name="collection", name="groups"),
        migrations.AddField(
            model_name="collection",
            name="groups",
            field=models.ManyToManyField(
                through="documents.Membership",
                through_fields=("collection", "group"),
                to="auth.group",
                verbose_name="groups",
            ),
        ),
        migrations.AddField(
            model_name="collection",
            name="users",
            field=models.ManyToManyField(
                through="documents.Membership",
                through_fields=("collection", "user"),
                to=settings.AUTH_USER_MODEL,
                verbose_name="people",
            ),
        ),
    ]
