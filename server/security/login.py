"""Where a person gives the token once, and the browser gets a cookie."""

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.page.documents import document
from server.security.access import Access
from server.security.credentials import COOKIE_SECONDS, cookie_name, cookie_value, is_token

LARGEST_FORM = 4096


WRONG = '<p role="alert">That is not the token.</p>'


def ask_for_token(status: int, note: str = "") -> Response:
    """Return the page with the form, and a note on it."""
    return document("login.html", status, {"www-authenticate": "Bearer"} if status == 401 else {}, note)


async def login(request: Request, access: Access) -> Response:
    """Return the cookie for pages and the way to the page, if the form has the token; the form again if not."""
    form = b""
    async for chunk in request.stream():
        form += chunk
        if len(form) > LARGEST_FORM:
            return ask_for_token(413, WRONG)
    token = parse_qs(form.decode("latin-1")).get("token", [""])[0].strip()
    if not is_token(access, token):
        return ask_for_token(401, WRONG)
    response = RedirectResponse("./", status_code=303)
    response.set_cookie(
        cookie_name(access),
        cookie_value(token),
        max_age=COOKIE_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response
