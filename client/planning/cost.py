"""What a minute of a session costs: on a card of one's own, and at a hosted API. Pure."""

from client.planning.catalog import Prices
from client.planning.simulation import Outcome

_MILLION = 1e6


def own_minute(card_hour: float, cards: int, sessions: int) -> float | None:
    """US dollars a minute of a session, where the cards are as full as they may be; None where they carry none."""
    return card_hour * cards / 60 / sessions if sessions else None


def hosted_minute(prices: Prices, outcome: Outcome) -> float:
    """US dollars a minute of a session that talks as in `outcome`, in a call of `prices.call_s`.

    New audio is paid in full. With every answer the conversation so far is sent again and paid at the cached price:
    with T tokens a turn and K turns that is T (0 + 1 + … + K-1). Instructions and tools are not counted.
    """
    minutes = outcome.sessions * outcome.seconds / 60
    if not outcome.turns:
        return 0.0
    tokens_in = outcome.speech_s * prices.hosted_tokens_per_s_in.value
    tokens_out = outcome.reply_s * prices.hosted_tokens_per_s_out.value
    new = (tokens_in * prices.hosted_audio_in.value + tokens_out * prices.hosted_audio_out.value) / _MILLION / minutes
    call_minutes = prices.call_s.value / 60
    turns = outcome.turns / minutes * call_minutes
    again = (tokens_in + tokens_out) / outcome.turns * turns * max(0.0, turns - 1) / 2
    return new + again * prices.hosted_audio_cached.value / _MILLION / call_minutes
