"""Many clients of a daemon's servers at once, among neighbours who mean no good.

`bench/load SECONDS` does it for longer and shows what it measured.
"""

import asyncio
import os
import time
import wave
from pathlib import Path

import load
from live_daemon import free_port, start  # noqa: F401 (a fixture)
from waiting import wait_for

SECONDS = float(os.environ.get("HEADROOM_LOAD_SECONDS", "10"))
LONG = SECONDS > 60  # then sessions whose clients vanished are waited for, too
CLIENTS = 50
LIMIT = 1024 if LONG else 64  # MiB, of an upload


async def good(web, clip, seconds, tally):
    end = time.monotonic() + seconds
    await asyncio.gather(*(load.speak(web, number, end, tally) for number in range(CLIENTS)),
                         load.ask(web, clip, end, tally))


async def hostile(web, wyoming, seconds, done):
    end = time.monotonic() + seconds
    neighbours = [load.half_open, load.slow_headers, load.slow_bodies, load.slow_readers, load.pages_unread,
                  load.bad_frames, load.bad_requests, load.connects, load.huge_uploads(LIMIT * 5 // 4 << 20)]
    await asyncio.gather(*(load.again_and_again(one, web, end, done) for one in neighbours),
                         load.again_and_again(load.wyoming_garbage, wyoming, end, done))


async def watched(work, footprint):
    """The most it held while that went on."""
    task = asyncio.gather(*work)
    peak = footprint()
    while not task.done():
        await asyncio.wait([task], timeout=0.25)
        peak.most(footprint())
    await task
    return peak


def test_fifty_speakers_among_hostile_neighbours(headroom, start, tmp_path):
    web, wyoming = free_port(), free_port()
    daemon = start(f"server.listen=127.0.0.1:{web}", f"wyoming.listen=127.0.0.1:{wyoming}", "audio.source=none",
                   f"server.upload_limit={LIMIT}MiB", env=load.fake_engine(tmp_path))
    with wave.open(str(headroom.jfk)) as recording:
        clip = recording.readframes(recording.getframerate() * 3)

    def now():
        return load.Footprint(daemon.process.pid, daemon.state)

    def run(*work):
        return asyncio.run(watched(work, now))

    limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    soft, hard = limits.split("Max open files")[1].split()[:2]
    assert int(soft) >= 4096 or soft == hard, limits

    # The model is loaded, and the pools that stay are made.
    run(good(web, clip, 1, load.Tally()))
    wait_for(lambda: now().sessions == 0, "sessions forgotten")
    before = now()

    alone = load.Tally()
    peak = run(good(web, clip, SECONDS / 3, alone))
    each = (peak.anonymous - before.anonymous) / CLIENTS
    print(f"\nbefore: {before}\n{CLIENTS} speakers alone: {each:.2f} MiB each; at most {peak}\n{alone}")
    assert not alone.wrong

    tally, done = load.Tally(), {}
    peak = run(good(web, clip, SECONDS, tally), hostile(web, wyoming, SECONDS, done))
    print(f"among neighbours: at most {peak}\n{tally}\nneighbours: {done}")
    assert not tally.wrong
    assert tally.percentile("realtime", 0.95) < 10_000 and tally.percentile("livez", 0.95) < 5_000
    assert set(done) == {"half_open", "slow_headers", "slow_bodies", "slow_readers", "pages_unread", "bad_frames",
                         "bad_requests", "connects", "huge_uploads", "wyoming_garbage"}
    # Whatever was sent, there was no room for all of it in memory.
    assert peak.anonymous - before.anonymous < 160

    wait_for(lambda: not set(os.listdir(daemon.state / "sessions")) & {*alone.sessions, *tally.sessions},
             "sessions of those who said good-bye")
    if LONG:
        wait_for(lambda: now().sessions == 0, "sessions of those who vanished", 90)

    def settled():
        # Those who vanished have a minute to come back: three files and two threads for each.
        after = now()
        return (after.files <= before.files + 3 * after.sessions + 5
                and after.threads <= before.threads + 2 * after.sessions + 5
                and after.anonymous < before.anonymous + 10 + 0.2 * after.sessions)

    try:
        wait_for(settled, "files, threads and memory given back", 30)
    finally:
        print(f"afterwards: {now()}")
    daemon.stop()
