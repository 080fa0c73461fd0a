from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('index', '0003_token_codes'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='vector',
            name='vector_of_text',
        ),
        migrations.AddIndex(
            model_name='vector',
            index=models.Index(fields=['text_hash', 'fingerprint'], name='vector_of_text'),
        ),
    ]
