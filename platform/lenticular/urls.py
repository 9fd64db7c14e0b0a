"""Every address of the site, by app."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.static import serve
from drf_spectacular.views import SpectacularAPIView

from lenticular.accounts.urls import account_urls
from lenticular.accounts.views import SignOutView, admin_sign_in
from lenticular.classify.services import merge_volunteers
from lenticular.classify.urls import websocket_urlpatterns as home_sockets
from lenticular.rounds.urls import websocket_urlpatterns as round_sockets

websocket_urlpatterns: list[URLPattern] = [*home_sockets, *round_sockets]
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("lenticular.classify.urls")),
    path("", include("lenticular.community.urls")),
    path("accounts/", include(account_urls(merge=merge_volunteers))),
    path("rounds/", include("lenticular.rounds.urls")),
    path("review/", include("lenticular.review.urls")),
    path("releases/", include("lenticular.releases.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/v1/", include("lenticular.classify.api_urls")),
    path("api/v1/", include("lenticular.community.api_urls")),
    path("api/v1/", include("lenticular.rounds.api_urls")),
    path("api/v1/", include("lenticular.releases.api_urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    # One way to sign in, which also joins what the browser did before, and one way out.
    path("admin/login/", admin_sign_in),
    path("admin/logout/", SignOutView.as_view()),
    path("admin/", admin.site.urls),
]
if settings.LENTICULAR_SERVE_MEDIA:
    urlpatterns.append(
        re_path(r"^media/(?P<path>images/.*)$", serve, {"document_root": settings.MEDIA_ROOT})
    )
