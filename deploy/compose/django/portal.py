"""Django's admin in one file. Run as a program it makes the database and the accounts."""

from pathlib import Path

import django
from django.conf import settings
from django.core.management.utils import get_random_secret_key

HERE = Path(__file__).resolve().parent
KEY = HERE / "secret.key"
if not KEY.exists():
    KEY.write_text(get_random_secret_key())

ADMIN_APPS = ["admin", "auth", "contenttypes", "messages", "sessions", "staticfiles"]

settings.configure(
    SECRET_KEY=KEY.read_text(),
    ALLOWED_HOSTS=["localhost"],
    ROOT_URLCONF="portal",
    INSTALLED_APPS=[f"django.contrib.{app}" for app in ADMIN_APPS],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
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
    ],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "portal.sqlite3"}
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    STATIC_URL="/static/",
    WHITENOISE_USE_FINDERS=True,
)
django.setup()

from django.contrib import admin  # noqa: E402  (only after the set-up)
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402

urlpatterns = [path("admin/", admin.site.urls)]

if __name__ == "__main__":
    from django.contrib.auth.models import User

    call_command("migrate", verbosity=0)
    for name, password in [("alice", "Correct-Horse-9"), ("bob", "Battery-Staple-7")]:
        User.objects.create_superuser(name, f"{name}@example.com", password)
else:
    application = get_wsgi_application()
