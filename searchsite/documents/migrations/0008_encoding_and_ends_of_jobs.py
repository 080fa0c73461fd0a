from django.conf import settings
from django.db import migrations, models


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
        migrations.AddIndex(
            model_name='job',
            index=models.Index(fields=['state', 'finished'], name='jobs_by_their_end'),
        ),
    ]
