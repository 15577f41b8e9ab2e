"""The Django settings, made from the installation's options (``options.py``)."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from colporteur.daemons import database
from colporteur.options import SettingsError, language_around, read

# --- places -----------------------------------------------------------------------------------------------------

DATA = Path(read("COLPORTEUR_DATA")).absolute()
DATABASE_URL: str = read("DATABASE_URL")
EMBEDDED = not DATABASE_URL
POSTGRES = database.place(DATA)  # the embedded server: data/, run/ (socket), log


# How long a database host may say nothing at all, in seconds (milliseconds for tcp_user_timeout): a part that is cut off must
# end before another host takes over what it held. The URL's own parameters win.
_PATIENCE = {"connect_timeout": "10", "tcp_user_timeout": "10000", "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3"}
_PATIENCE_OF_SEVERAL = {"connect_timeout": "3"}  # each new connection asks the first host first, which may be the one that is gone


def _split(variable: str, url: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it checks it
        return parts
    except ValueError:
        raise SettingsError(f"{variable} must look like {example}") from None


def _database(url: str) -> dict[str, Any]:
    if not url:
        return {"NAME": "colporteur", "USER": "colporteur", "HOST": str(POSTGRES / "run"), "PORT": "5432", "OPTIONS": {"connect_timeout": "10"}}
    try:
        values = conninfo_to_dict(url) if url.startswith(("postgresql://", "postgres://")) else {}
    except ProgrammingError:
        values = {}
    hosts, ports = str(values.pop("host", "")), str(values.pop("port", "5432"))
    if "dbname" not in values or not re.fullmatch("[0-9,]+", ports):
        raise SettingsError("DATABASE_URL must look like postgresql://user:password@host:5432/name, or name several hosts: @one:5432,two:5432/name?target_session_attrs=read-write")
    own = {"NAME": values.pop("dbname"), "USER": values.pop("user", ""), "PASSWORD": values.pop("password", ""), "HOST": hosts, "PORT": ports}
    return {**own, "OPTIONS": _PATIENCE | (_PATIENCE_OF_SEVERAL if "," in hosts else {}) | values}


def _secret_key(path: Path | None) -> str:
    """The key from the environment, else the one in the file ``path``, made at first need (mode 0600)."""
    if path is None:
        return str(read("COLPORTEUR_SECRET_KEY"))
    if not EMBEDDED:
        raise SettingsError("COLPORTEUR_SECRET_KEY must be set when DATABASE_URL is: every part needs the same key")
    try:
        if not path.exists():
            _make_secret_key(path)
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"{path} cannot be used ({error.strerror}): run as the user it belongs to, or set COLPORTEUR_DATA to a directory of yours") from None


def _make_secret_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"secret_key.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(secrets.token_urlsafe(48))
    try:
        os.link(temporary, path)  # first writer wins when two commands start together
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


# --- options as constants ---------------------------------------------------------------------------------------

WEB: str = read("COLPORTEUR_WEB")
LMTP: str = read("COLPORTEUR_LMTP")
BASE_URL: str = (read("COLPORTEUR_BASE_URL") or f"http://{WEB}").rstrip("/")
DEMO: bool = read("COLPORTEUR_DEMO")
DEMO_LANGUAGE = language_around()
KEEP_UNMATCHED: int = read("COLPORTEUR_KEEP_UNMATCHED")
MAX_MESSAGE_SIZE: int = read("COLPORTEUR_MAX_MESSAGE_SIZE")
LOG_LEVEL: str = read("COLPORTEUR_LOG").upper()
MAIL_LOG: Path | None = DATA / read("COLPORTEUR_MAIL_LOG") if read("COLPORTEUR_MAIL_LOG") else None
CONNECTIONS: int = read("COLPORTEUR_CONNECTIONS")
WORKERS: int = read("COLPORTEUR_WORKERS")
SWEEP: int = read("COLPORTEUR_SWEEP")
LEASE: int = read("COLPORTEUR_LEASE")
WEB_THREADS: int = read("COLPORTEUR_WEB_THREADS")
SIGNUP: bool = read("COLPORTEUR_SIGNUP")
ADMIN_TWO_STEPS: bool = read("COLPORTEUR_ADMIN_TWO_STEPS")
NETWORKS: tuple[str, ...] = tuple(filter(None, read("COLPORTEUR_NETWORKS").split(",")))
TRUSTED_PROXY: bool = read("COLPORTEUR_TRUSTED_PROXY")

_base = _split("COLPORTEUR_BASE_URL", BASE_URL, "https://lists.example.org")
if _base.scheme not in ("http", "https") or not _base.hostname or _base.path or _base.query:
    raise SettingsError("COLPORTEUR_BASE_URL must look like https://lists.example.org, without a path")
PUBLIC_HTTPS = _base.scheme == "https"

# --- Django -----------------------------------------------------------------------------------------------------

KEY_FILE = None if read("COLPORTEUR_SECRET_KEY") else DATA / "secret_key"  # None: the key comes from the environment
SECRET_KEY = _secret_key(KEY_FILE)
SECRET_FINGERPRINT = hashlib.sha256(b"colporteur fingerprint\0" + SECRET_KEY.encode()).hexdigest()[:16]
SEAL_KEY = base64.urlsafe_b64encode(hashlib.sha256(b"colporteur seal\0" + SECRET_KEY.encode()).digest())
TOKEN_KEY = hashlib.sha256(b"colporteur token\0" + SECRET_KEY.encode()).digest()

DEBUG = False
ALLOWED_HOSTS = [_base.hostname, *({"localhost", "127.0.0.1", "[::1]"} if not PUBLIC_HTTPS else set())]
CSRF_TRUSTED_ORIGINS = [f"{_base.scheme}://{_base.netloc}"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_HTTPS
SESSION_COOKIE_AGE = 14 * 86400
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, LANGUAGE_COOKIE_NAME = "colporteur", "colporteur_csrf", "colporteur_language"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "procrastinate.contrib.django",
    "colporteur.store",
    "colporteur.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "colporteur.web.guard.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "colporteur.web.guard.PersonLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "colporteur.web.signin.entering.TwoStepsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "colporteur.web.urls"
WSGI_APPLICATION = "colporteur.web.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "web"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "colporteur.web.guard.navigation",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static", "colporteur.web.templatetags.look"],
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, **_database(DATABASE_URL)}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "store.Person"
AUTHENTICATION_BACKENDS = ["colporteur.web.signin.backend.AddressBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "signin"
LOGIN_REDIRECT_URL = "home"

LANGUAGE_CODE = read("COLPORTEUR_LANGUAGE")
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [Path(__file__).parent / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = read("COLPORTEUR_TIME_ZONE")
try:
    ZoneInfo(TIME_ZONE)
except (ValueError, OSError, KeyError):
    raise SettingsError(f"COLPORTEUR_TIME_ZONE={TIME_ZONE!r} is no time zone; write one like Europe/Paris") from None

STATIC_URL = "/static/"
STATICFILES_DIRS = [Path(__file__).parent / "web" / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic step: the files are few and ship with the package
WHITENOISE_AUTOREFRESH = False

DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_MESSAGE_SIZE
LOGGING_CONFIG = None  # colporteur.daemons.log sets up logging for every part
