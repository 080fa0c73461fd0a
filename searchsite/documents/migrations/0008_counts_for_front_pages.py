from django.conf import settings
from django.db import migrations, models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce


def count_passages(apps, _schema_editor):
    Document, Passage = (apps.get_model('documents', name) for name in ('Document', 'Passage'))
    of_live = Passage.objects.filter(revision=OuterRef('live_revision')).order_by().values('revision')
    count = Coalesce(Subquery(of_live.annotate(count=Count('pk')).values('count')), 0)
    Document.objects.filter(live_revision__isnull=False).update(passage_count=count)


class Migration(migrations.Migration):

    dependencies = [
        ('documents', '0007_count_what_waits'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='encoded',
            field=models.PositiveIntegerField(default=0, verbose_name='passages encoded'),
        ),
        migrations.AddField(
            model_name='job',
            name='encode_seconds',
            field=models.FloatField(default=0.0, verbose_name='seconds of encoding'),
        ),
        migrations.AddField(
            model_name='document',
            name='passage_count',
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name='passages'),
        ),
        migrations.RunPython(count_passages, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(
                condition=models.Q(('finished__isnull', False)),
                fields=['state', 'finished', 'kind', 'document', 'item', 'total', 'encoded', 'encode_seconds'],
                name='jobs_by_their_end',
            ),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['collection', 'updated', 'live_revision', 'passage_count'], name='facts_in_collection'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['-updated', '-id'], name='latest_documents'),
        ),
    ]
