"""Settings from the environment: kept secrets, `.env`, folders."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured

from searchsite import environment
from tests.site.running import ROOT


def test_a_secret_is_made_once_and_kept_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("SOME_SECRET", raising=False)
    path = tmp_path / "secret"
    with ThreadPoolExecutor(8) as pool:  # several processes start at once
        secrets = set(pool.map(lambda _: environment.secret("SOME_SECRET", path), range(16)))
    assert len(secrets) == 1
    assert len(secrets.pop()) > 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]
    monkeypatch.setenv("SOME_SECRET", "given")
    assert environment.secret("SOME_SECRET", path) == "given"


@pytest.mark.parametrize("value", ["0", "65536", "x", "1.5", ""])
def test_a_number_out_of_bounds_is_refused_with_its_name_and_bounds(monkeypatch, value):
    monkeypatch.setenv("SOME_NUMBER", value)
    with pytest.raises(ImproperlyConfigured, match="SOME_NUMBER"):
        environment.number("SOME_NUMBER", 80, 1, 65535)


def test_env_file_is_read_and_the_real_environment_wins(tmp_path):
    (tmp_path / "settings.env").write_text("SEARCHSITE_PORT=8111\nSEARCHSITE_THREADS=3\n")
    code = "from django.conf import settings; print(settings.SEARCHSITE_PORT, settings.SEARCHSITE_THREADS)"
    env = {
        **os.environ,
        "SEARCHSITE_ENV_FILE": str(tmp_path / "settings.env"),
        "SEARCHSITE_THREADS": "5",
        "DJANGO_SETTINGS_MODULE": "searchsite.settings",
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8111", "5"]
