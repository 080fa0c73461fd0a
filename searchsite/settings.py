"""Django settings. All that differs between installations comes from the environment; the README lists it."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from searchsite import environment as env
from searchsite.people.oidc import configuration as oidc

BASE_DIR = env.BASE_DIR
env.read_dotenv()

# --- where things lie -------------------------------------------------------------------------------------
DATA_DIR = env.folder("SEARCHSITE_DATA_DIR", BASE_DIR / "var")
SEARCHSITE_MODELS_DIR = env.folder("SEARCHSITE_MODELS_DIR", DATA_DIR / "models")
INDEX_DIR = DATA_DIR / "index"

# --- who may reach the site -------------------------------------------------------------------------------
DEBUG = env.yes_no("SEARCHSITE_DEBUG")
SECRET_KEY = env.secret("SEARCHSITE_SECRET_KEY", DATA_DIR / "secret-key")
SEARCHSITE_HOST = env.text("SEARCHSITE_HOST", "127.0.0.1")
SEARCHSITE_PORT = env.number("SEARCHSITE_PORT", 8000, 1, 65535)
# Addresses of proxies whose word is taken for where a request comes from (X-Forwarded-For).
SEARCHSITE_PROXIES = env.networks("SEARCHSITE_PROXIES", [])
SEARCHSITE_REQUIRE_LOGIN = env.yes_no("SEARCHSITE_REQUIRE_LOGIN")
SEARCHSITE_AUDIT_DAYS = env.number("SEARCHSITE_AUDIT_DAYS", 0, 0, 100_000)  # 0: entries of the audit log stay
# A header in which such a proxy says who has signed in to it.
SEARCHSITE_USER_HEADER = env.header("SEARCHSITE_USER_HEADER")
if SEARCHSITE_USER_HEADER and (not SEARCHSITE_PROXIES or any(network.prefixlen == 0 for network in SEARCHSITE_PROXIES)):
    raise ImproperlyConfigured(
        "SEARCHSITE_USER_HEADER is set, and SEARCHSITE_PROXIES does not say who alone may send it: anybody could be "
        "anybody. Set SEARCHSITE_PROXIES to the proxy's address, such as 10.0.0.5/32."
    )
SEARCHSITE_PROCESSES = env.number("SEARCHSITE_PROCESSES", 1, 1, 64)
SEARCHSITE_THREADS = env.number("SEARCHSITE_THREADS", 8, 1, 256)
ALLOWED_HOSTS = env.names("SEARCHSITE_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.names("SEARCHSITE_CSRF_ORIGINS", [])
if env.yes_no("SEARCHSITE_BEHIND_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    USE_X_FORWARDED_HOST = True
if env.yes_no("SEARCHSITE_HTTPS"):
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # a probe speaks plain HTTP to the process itself
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    LANGUAGE_COOKIE_SECURE = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],  # data: is Django admin's own stylesheet
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- what it is made of -----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django_tasks",
    "django_tasks_db",
    "searchsite.people.oidc.apps.Account",  # before searchsite.people, whose admin hides theirs
    "searchsite.people.oidc.apps.SocialAccount",
    "searchsite",
    "searchsite.people",
    "searchsite.documents",
    "searchsite.index",
    "searchsite.search",
    "searchsite.insight",
    "encoder",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "searchsite.private.private",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "searchsite.people.audit.following",
    "searchsite.people.middleware.UserHeader",
    "searchsite.people.middleware.ClosedSite",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "searchsite.urls"
WSGI_APPLICATION = "searchsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "searchsite.theme.theme",
            ],
        },
    }
]
# What a page says of what was done ends with the session: in a cookie it would wait for whoever signs in next.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
# Single sign-on with OpenID Connect: the provider, or None.
SEARCHSITE_OIDC = oidc.read()
SOCIALACCOUNT_ADAPTER = "searchsite.people.oidc.protocol.Connections"
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "search"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
if SEARCHSITE_USER_HEADER:
    AUTHENTICATION_BACKENDS += ["searchsite.people.backends.HeaderBackend"]
if SEARCHSITE_OIDC:
    AUTHENTICATION_BACKENDS += ["searchsite.people.oidc.backends.SingleSignOn"]
    if SEARCHSITE_OIDC.only:
        AUTHENTICATION_BACKENDS[1] = "searchsite.people.oidc.backends.SuperusersPassword"

# How often passwords may be tried (searchsite/people/throttling.py), and for how long not after that.
SEARCHSITE_SIGN_IN_FAILURES = env.number("SEARCHSITE_SIGN_IN_FAILURES", 5, 1, 1000)
SEARCHSITE_SIGN_IN_LOCK_MINUTES = env.number("SEARCHSITE_SIGN_IN_LOCK_MINUTES", 15, 1, 24 * 60)
AXES_HANDLER = "searchsite.people.throttling.Handler"
AXES_USERNAME_CALLABLE = "searchsite.people.throttling.username"
AXES_CLIENT_IP_CALLABLE = "searchsite.people.throttling.address"
AXES_LOCKOUT_CALLABLE = "searchsite.people.throttling.answer"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_FAILURE_LIMIT = SEARCHSITE_SIGN_IN_FAILURES
AXES_COOLOFF_TIME = timedelta(minutes=SEARCHSITE_SIGN_IN_LOCK_MINUTES)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # the audit log knows who signed in
AXES_ENABLE_ADMIN = False
# Fields of our forms that axes keeps no copy of.
AXES_SENSITIVE_PARAMETERS = ["username", "old_password", "new_password1", "new_password2", "csrfmiddlewaretoken"]

# Mail, for links to set a password.
_mail = env.mail("EMAIL_URL")
SEARCHSITE_SENDS_MAIL = bool(_mail)
globals().update(_mail)

# --- data -------------------------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", f"sqlite:///{DATA_DIR / 'searchsite.sqlite3'}")
}
DATABASES["default"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)  # to open SQLite's file anew takes 2 ms, too
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Several processes on one file: readers never wait (WAL), writers queue up instead of failing half-way
    # through a transaction (IMMEDIATE), and what was committed is on the disk (FULL). Each thread has a connection, and
    # each of these its own cache: 32 MB in eight threads took 280 MB, and read no faster than the kernel's cache.
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        transaction_mode="IMMEDIATE",
        timeout=20,
        init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8000;",
    )
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
    "originals": {
        "BACKEND": "searchsite.documents.storage.ContentAddressedStorage",
        "OPTIONS": {"location": DATA_DIR / "originals"},
    },
}
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "searchsite.htmx.Finder",
]
WHITENOISE_KEEP_ONLY_HASHED_FILES = False  # error pages use the plain names, which need no manifest
WHITENOISE_USE_FINDERS = DEBUG

# --- work in the background -------------------------------------------------------------------------------
SEARCHSITE_TASKS = env.text("SEARCHSITE_TASKS", "worker", one_of=("worker", "inline"))
TASKS = {
    "default": {
        "BACKEND": "django_tasks_db.DatabaseBackend"
        if SEARCHSITE_TASKS == "worker"
        else "django_tasks.backends.immediate.ImmediateBackend"
    }
}
SEARCHSITE_LEASE_SECONDS = env.number("SEARCHSITE_LEASE_SECONDS", 30, 2, 3600)  # longer than a wait for SQLite

# --- documents and the encoder ----------------------------------------------------------------------------
SEARCHSITE_ENCODER = env.text("SEARCHSITE_ENCODER", "e5-small")
SEARCHSITE_POOLING = env.text("SEARCHSITE_POOLING", "mean", one_of=("mean", "cls", "tanh"))
# "tokens", "none", or a folder with a cross-encoder: a path, or a name below SEARCHSITE_MODELS_DIR.
SEARCHSITE_RERANKER = env.text("SEARCHSITE_RERANKER", "tokens")
SEARCHSITE_PASSAGE_TOKENS = env.number("SEARCHSITE_PASSAGE_TOKENS", 200, 16, 4096)
SEARCHSITE_PASSAGE_OVERLAP = env.number("SEARCHSITE_PASSAGE_OVERLAP", 0, 0, 1024)
SEARCHSITE_MAX_FILE_MB = env.number("SEARCHSITE_MAX_FILE_MB", 20, 1, 2048)
SEARCHSITE_MAX_PAGES = env.number("SEARCHSITE_MAX_PAGES", 2000, 1, 100_000)
SEARCHSITE_MAX_CHARACTERS = env.number("SEARCHSITE_MAX_CHARACTERS", 10_000_000, 1000, 1_000_000_000)
# A file is read in a process of its own, which may take so much memory, and so long for a file or a page of a scan.
SEARCHSITE_READ_MEMORY_MB = env.number("SEARCHSITE_READ_MEMORY_MB", 512, 128, 1_000_000)
SEARCHSITE_READ_SECONDS = env.number("SEARCHSITE_READ_SECONDS", 60, 1, 24 * 3600)
# A zip archive: its own size and what it unpacks to, and its files.
SEARCHSITE_MAX_ARCHIVE_MB = env.number("SEARCHSITE_MAX_ARCHIVE_MB", 1000, 1, 100_000)
SEARCHSITE_MAX_ARCHIVE_FILES = env.number("SEARCHSITE_MAX_ARCHIVE_FILES", 20_000, 1, 1_000_000)
# Fetching a URL. Only public addresses are asked, and those of these networks, such as "10.0.0.0/8".
SEARCHSITE_FETCH_SECONDS = env.number("SEARCHSITE_FETCH_SECONDS", 30, 1, 3600)
SEARCHSITE_FETCH_NETWORKS = env.networks("SEARCHSITE_FETCH_NETWORKS", [])
# Pictures of PDF pages are kept in so many megabytes; the oldest go first.
SEARCHSITE_PICTURES_MB = env.number("SEARCHSITE_PICTURES_MB", 200, 1, 1_000_000)
# Text typed into a form. More than the limit, so that it is the form that refuses, in a sentence, and not the request.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * SEARCHSITE_MAX_FILE_MB * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 2000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a tick box each: of a long list all may be chosen

# The libraries that compute (torch, faiss) wait for each other's threads spinning, unless told before they are loaded.
# With a worker and a web server on the same cores that costs more than the work: three times, measured.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# But a question is hundreds of operations of some microseconds: asleep and woken for each, threads took twice as long
# for it as when they spin so many turns (some tenths of a millisecond) before they sleep.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")
# oneDNN keeps what it has made for 1,024 shapes of matrices, which is hundreds of megabytes; making it anew costs
# nothing that could be measured.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

# --- language, time, log ----------------------------------------------------------------------------------
USE_I18N = True
USE_TZ = True
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600  # seconds
LANGUAGE_CODE = env.text("SEARCHSITE_LANGUAGE", "en", one_of=tuple(code for code, _name in LANGUAGES))
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.text("SEARCHSITE_TIME_ZONE", "UTC")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "searchsite": {"level": env.text("SEARCHSITE_LOG_LEVEL", "INFO", one_of=("DEBUG", "INFO", "WARNING", "ERROR"))},
        # An optional package that is not installed, tried at each import of the worker: of no use to anyone.
        "django_tasks": {"level": "WARNING"},
        "django_tasks_db": {"level": "WARNING"},
        "axes": {"level": "ERROR"},  # it says that somebody failed to sign in, but not who: our lines and entries do
    },
}
