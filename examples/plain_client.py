"""python plain_client.py ws://localhost:8000/realtime question.wav …   (WAV: 16 kHz, 16 bits, mono)"""

import asyncio
import json
import sys
import wave

from websockets.asyncio.client import ClientConnection, connect


async def microphone(socket: ClientConnection, said: bytearray) -> None:
    due = asyncio.get_running_loop().time()
    while True:  # 20 ms of sound every 20 ms: what there is to say, else silence
        frame, said[:] = bytes(said[:640]).ljust(640, b"\0"), said[640:]
        await socket.send(frame)
        due += 0.02
        await asyncio.sleep(due - asyncio.get_running_loop().time())


async def main(url: str, *questions: str) -> None:
    said = bytearray()
    async with connect(url) as socket:
        speaking = asyncio.create_task(microphone(socket, said))
        for question in questions:
            with wave.open(question) as file, wave.open(f"{question}.reply.wav", "wb") as reply:
                said += file.readframes(file.getnframes())
                reply.setparams((1, 2, 24_000, 0, "NONE", ""))
                async for message in socket:
                    if isinstance(message, bytes):
                        reply.writeframes(message)  # or play it
                    elif (event := json.loads(message))["type"] in ("transcript", "reply_text", "error"):
                        print(event["type"], event.get("text", event.get("message")))
                    elif event["type"] == "reply_done":  # if it is "cancelled": play no more of it
                        break
        speaking.cancel()


asyncio.run(main(*sys.argv[1:]))
