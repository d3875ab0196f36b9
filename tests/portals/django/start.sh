#!/bin/bash
# start.sh PORT FOLDER: Django's own admin site on 127.0.0.1:PORT, its state in FOLDER, in the
# foreground. Users: alice / Correct-Horse-9, bob / Battery-Staple-7, and member1 to member12 /
# Of-The-Crowd-1 to -12.
set -euo pipefail
port=$1
mkdir -p "$2"
state=$(cd "$2" && pwd)
. "$(dirname "$(readlink -f "$0")")/../packages.sh"

version=5.2
venv="$cache/django-$version"

python3 -c 'import sqlite3' 2>/dev/null || need_packages python3
python_once "$venv" "django==$version.*"

# The header is what Django's manual asks for behind a proxy that ends TLS; without it the
# Origin check takes every login for a forgery.
cat >"$state/settings.py" <<PYTHON
SECRET_KEY = "$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
DEBUG = True
ALLOWED_HOSTS = ["*"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
ROOT_URLCONF = "urls"
STATIC_URL = "/static/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "$state/db.sqlite3"}}
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
PYTHON
cat >"$state/urls.py" <<'PYTHON'
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
PYTHON
cat >"$state/users.py" <<'PYTHON'
import django

django.setup()
from django.contrib.auth.models import User

users = [("alice", "Correct-Horse-9"), ("bob", "Battery-Staple-7")]
users += [(f"member{number}", f"Of-The-Crowd-{number}") for number in range(1, 13)]
for name, password in users:
    if not User.objects.filter(username=name).exists():
        User.objects.create_superuser(name, f"{name}@example.com", password)
PYTHON

export DJANGO_SETTINGS_MODULE=settings PYTHONPATH="$state" PYTHONUNBUFFERED=1
"$venv/bin/python" -m django migrate -v0 >&2
"$venv/bin/python" "$state/users.py" >&2
exec "$venv/bin/python" -m django runserver --noreload "127.0.0.1:$port"
