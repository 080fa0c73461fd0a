"""For supervisors and load balancers: is the process alive, and do searches work?"""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from encoder import EncoderError
from searchsite.documents import jobs
from searchsite.index import backends, follow, lexical_follow, space

log = logging.getLogger(__name__)
_warming = threading.Lock()


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """200 while the process lives; the parts, and which of them are degraded, as JSON."""
    parts = {"database": _database()}
    if parts["database"] == "ok":
        parts |= {"worker": _worker(), "index": _index(), "keywords": _keywords()}
    parts["encoder"] = _encoder()
    degraded = [name for name, state in parts.items() if state not in ("ok", "not loaded yet")]
    return JsonResponse({"status": "degraded" if degraded else "ok", "degraded": degraded, "parts": parts})


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 only when a search would work now: it does one, without a user. The first call loads the encoder."""
    if not backends.is_loaded() and _warming.locked():
        return _not_ready("the encoder is being loaded")
    try:
        with _warming:
            query = space.current().place_question(backends.get_encoder().encode_queries(["ready"])[0], "en")
        follow.current().store.search(query, 1)
        lexical_follow.tried(lambda index: index.search("ready 就绪", 1) if index else [])
    except (DatabaseError, EncoderError, follow.IndexUnavailable) as error:
        log.warning("not ready: %s", error)
        return _not_ready(_reason(error))
    return JsonResponse({"ready": True})


def _not_ready(reason: str) -> JsonResponse:
    response = JsonResponse({"ready": False, "reason": reason}, status=503)
    # Django logs every 503 as an error; a probe that asks each second and is told "not yet" is none.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _reason(error: Exception) -> str:
    # What a database or a loader says may hold paths and host names, and this page needs no sign-in.
    return str(error) if isinstance(error, follow.IndexUnavailable) else type(error).__name__


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        log.exception("the database does not answer")
        return "does not answer"
    return "ok"


def _worker() -> str:
    return "ok" if jobs.living_workers() else "no worker has been seen: documents that are saved now wait"


def _index() -> str:
    try:
        return "ok" if follow.active_build() else "not built yet: small sites are searched all the same"
    except follow.IndexUnavailable as unavailable:
        return str(unavailable)


def _encoder() -> str:
    try:
        backends.description()
    except EncoderError:
        return "cannot be used"
    return "ok" if backends.is_loaded() else "not loaded yet"


def _keywords() -> str:
    return "ok" if lexical_follow.current() else "not there yet: searches go by meaning alone"
