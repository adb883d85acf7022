"""`POST /v1/realtime/calls`: a peer connection by one HTTP request, as OpenAI's Realtime API has it."""

from fastapi import APIRouter, Request, Response

from services.orchestrator.edge.errors import ApiError
from services.orchestrator.edge.realtime.beta import Beta, is_wanted
from services.orchestrator.edge.realtime.dialect import Dialect, GeneralAvailability
from services.orchestrator.edge.webrtc.calls import Calls
from services.orchestrator.edge.webrtc.requests import read_call

router = APIRouter()


@router.post("/v1/realtime/calls")
async def create_call(request: Request) -> Response:
    """Answers an SDP offer with 201, the SDP answer and the call's address in `Location`.

    400 with OpenAI's error body where the offer or the session is wrong, 413 where it is too large, 503 where all
    sessions are taken.
    """
    return await _answer(request, _dialect(request))


@router.post("/v1/realtime")
async def create_beta_call(request: Request) -> Response:
    """The same where the beta had it: the names of its events unless the client asks for the others."""
    return await _answer(request, Beta())


@router.post("/v1/realtime/calls/{call_id}/hangup")
async def hang_up(request: Request, call_id: str) -> Response:
    """Ends a call; 404 where there is none."""
    calls: Calls = request.app.state.calls
    try:
        calls.hang_up(call_id)
    except ApiError as problem:
        return problem.response()
    return Response()


async def _answer(request: Request, dialect: Dialect) -> Response:
    calls: Calls = request.app.state.calls
    try:
        answer = await calls.open(request, await read_call(request), dialect)
    except ApiError as problem:
        return problem.response()
    headers = {"Location": f"/v1/realtime/calls/{answer.call_id}"}
    return Response(answer.sdp, 201, headers, media_type="application/sdp")


def _dialect(request: Request) -> Dialect:
    header = ",".join(request.headers.getlist("openai-beta"))
    return Beta() if is_wanted(header, ()) else GeneralAvailability()
