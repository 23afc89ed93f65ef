"""What comes of grpc.aio while an event loop is busy is taken in few of its turns, with the patch alone.

grpc.aio keeps to the event loops of its process, so this one is another.
"""

import subprocess
import sys

STREAMS, MESSAGES = 100, 8
#: Streams that all begin to send at once, in an event loop of long turns; prints how many turns all messages took.
SENT_AT_ONCE = f"""
import asyncio, sys, time
import grpc, uvloop
from servicekit.patches import take_all_events

turns = 0
begun = asyncio.Event()

async def send(request, context):
    await begun.wait()
    for _ in range({MESSAGES}):
        await context.write(b"hello")

async def receive(call):
    return [message async for message in call]

async def count_turns():
    global turns
    while True:
        time.sleep(0.002)  # nobody waits for this: it makes the turn long
        turns += 1
        await asyncio.sleep(0)

async def main():
    if "patched" in sys.argv:
        take_all_events()
    server = grpc.aio.server()
    sending = {{"Send": grpc.unary_stream_rpc_method_handler(send)}}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", sending)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{{port}}") as channel:
        calls = [channel.unary_stream("/test/Send")(b"") for _ in range({STREAMS})]
        receiving = [asyncio.create_task(receive(call)) for call in calls]
        while len(begun._waiters) < {STREAMS}:
            await asyncio.sleep(0.01)
        counting = asyncio.create_task(count_turns())
        begun.set()
        assert await asyncio.gather(*receiving) == [[b"hello"] * {MESSAGES}] * {STREAMS}
        counting.cancel()
    print(turns)
    await server.stop(None)

uvloop.run(main())
"""


def _count_turns(*arguments: str) -> int:
    command = [sys.executable, "-c", SENT_AT_ONCE, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def test_messages_of_many_calls_are_taken_in_few_turns() -> None:
    assert _count_turns("patched") < STREAMS * MESSAGES / 4


def test_without_the_patch_there_are_more_turns_than_messages() -> None:
    assert _count_turns() > STREAMS * MESSAGES
