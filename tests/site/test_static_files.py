"""Style sheets and scripts: collected once, compressed, and kept by browsers for ever."""

from __future__ import annotations

import gzip

import pytest
from django.conf import settings as site_settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.functional import empty
from whitenoise.middleware import WhiteNoiseMiddleware

STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"


@pytest.fixture
def collected(settings, tmp_path):
    """ask(name of a file, whether plainly) -> the answer to who takes gzip."""
    settings.STATIC_ROOT = str(tmp_path / "static")
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": STORAGE}}
    staticfiles_storage._wrapped = empty
    call_command("collectstatic", interactive=False, verbosity=0)
    middleware = WhiteNoiseMiddleware(lambda _request: HttpResponse(status=404))

    def ask(name: str, plainly: bool = False):
        address = f"/static/{name}" if plainly else staticfiles_storage.url(name)
        return middleware(RequestFactory().get(address, headers={"accept-encoding": "gzip"}))

    yield ask
    staticfiles_storage._wrapped = empty


def test_the_sites_own_settings_collect_and_compress():
    from searchsite import settings as written

    assert written.STORAGES["staticfiles"]["BACKEND"] == STORAGE
    assert site_settings.WHITENOISE_KEEP_ONLY_HASHED_FILES is False


def test_files_are_sent_compressed_and_kept_for_ever(collected):
    for name in ("searchsite/site.css", "searchsite/site.js", "searchsite/library.css"):
        answer = collected(name)
        assert answer.status_code == 200
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
        assert gzip.decompress(answer.getvalue()) == (site_settings.BASE_DIR / "static" / name).read_bytes()


def test_error_pages_find_theirs_by_the_plain_name_and_ask_for_it_again(collected):
    answer = collected("searchsite/site.css", plainly=True)
    assert answer.status_code == 200
    assert "immutable" not in answer.headers["Cache-Control"]
