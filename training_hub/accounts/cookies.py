"""The hub's cookies. Under https their names begin with `__Host-`: no other host of the domain can set them."""

from starlette.requests import Request
from starlette.responses import Response

from training_hub.accounts.visits import NewVisit

_SESSION = "training_hub_session"
_CSRF = "training_hub_csrf"


def cookie_name(request: Request, plain: str) -> str:
    """The name of a cookie for this request's scheme."""
    return f"__Host-{plain}" if is_secure(request) else plain


def is_secure(request: Request) -> bool:
    """Whether the browser came by https."""
    return request.url.scheme == "https"


def session_secret(request: Request) -> str | None:
    """The session's secret that the browser sent."""
    return request.cookies.get(cookie_name(request, _SESSION))


def csrf_token(request: Request) -> str:
    """The token that the browser's pages send with every change; empty where it has none."""
    return request.cookies.get(cookie_name(request, _CSRF), "")


def set_session(request: Request, response: Response, visit: NewVisit) -> None:
    """Give the browser its session, and to the pages' scripts the token that goes with every change."""
    for plain, value, hidden in ((_SESSION, visit.secret, True), (_CSRF, visit.csrf_token, False)):
        response.set_cookie(
            cookie_name(request, plain),
            value,
            max_age=visit.max_age_s,
            path="/",
            secure=is_secure(request),
            httponly=hidden,
            samesite="lax",
        )


def clear_session(request: Request, response: Response) -> None:
    """Take both cookies back."""
    for plain in (_SESSION, _CSRF):
        response.delete_cookie(cookie_name(request, plain), path="/", secure=is_secure(request), samesite="lax")
