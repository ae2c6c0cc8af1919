"""A crowd that comes back: clients of one pattern over thousands of topics, all cut off at once.

Run ``python benchmarks/peers/reconnect.py``. The server, the crowd and a bystander, which asks for something small all
the time, run in separate processes, while prices are published. Every client shows where it was in each topic, and
is back when it has the answer about all of them. Measured, with their goals: the seconds from the cut until the last
client is back, the bystander's 99th percentile meanwhile, and how many topics were recovered without a gap. Only a run
with the default sizes is written to ``benchmarks/results/reconnect.json``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import selectors
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgpack
from harness import Ratio, Report, versions

CLIENTS, TOPICS = 200, 10_000
BACK, BYSTANDER = 2.0, 100.0  # goals: seconds, milliseconds
PUBLISHED = 20  # messages at a time, every 50 ms


def serve(pipe: Connection, topics: int) -> None:
    """A hub that publishes until it is asked to end."""
    from fastapi import FastAPI

    from fastcore.streaming import Hub
    from tests.streaming.running import Running

    hub, app = Hub(policy="conflate"), FastAPI()
    hub.route(app)
    for n in range(topics):
        hub.publish(f"prices.S{n:06}", n, key="price")
    with Running(app) as server:
        pipe.send(server.port)
        turn = 0
        while not (pipe.poll(0.05) and pipe.recv() == "end"):
            for n in range(turn, turn + PUBLISHED):
                hub.publish(f"prices.S{n % topics:06}", n, key="price")
            turn += PUBLISHED
        print("the server:", hub.stats())


def watch(pipe: Connection, port: int) -> None:
    """Ask for something small, and take the time until it is answered."""
    from tests.streaming.raw_client import RawClient

    waits: list[float] = []
    with RawClient(port) as client:
        client.hear()
        number = 0
        while True:
            number += 1
            begun = time.perf_counter()
            client.say(4, number, [])
            while (message := client.hear()) != [4, number]:
                if message == [6]:
                    client.say(6)
            waits.append(time.perf_counter() - begun)
            if pipe.poll(0.025):
                if pipe.recv() == "end":
                    return
                pipe.send(sorted(waits))
                waits.clear()


class Crowd:
    """Connections of which all are read whenever something comes, as clients of their own processes would."""

    def __init__(self, port: int, clients: int) -> None:
        from tests.streaming.raw_client import RawClient

        self.selector = selectors.DefaultSelector()
        self.epoch = ""
        self.all = [RawClient(port) for _ in range(clients)]
        for client in self.all:
            self.selector.register(client.sock, selectors.EVENT_READ, client)

    def say(self, data: bytes) -> None:
        """Have each say the same."""
        for client in self.all:
            client.write(data)

    def answers(self, topics: int) -> dict[int, bytes]:
        """Read until each has an answer to subscribe about all topics; it is looked into no further."""
        answers: dict[int, bytes] = {}
        buffers = {id(client): bytearray(client._buffer) for client in self.all}
        while len(answers) < len(self.all):
            for key, _ in self.selector.select(10.0):
                client, data = key.data, key.data.sock.recv(1 << 20)
                if not data:
                    raise EOFError("the server closed a connection")
                buffers[id(client)] += data
                taken = frames(buffers[id(client)])
                for payload in taken:
                    if payload[:2] == b"\x92\x00":
                        self.epoch = msgpack.unpackb(payload)[1]["epoch"]
                    if payload[:2] in (b"\x93\x03", b"\x94\x03") and len(payload) > 8 * topics:
                        answers[id(client)] = payload
        return answers

    def close(self) -> None:
        """End all connections at once, without a word."""
        for client in self.all:
            client.close()
        self.selector.close()


def frames(buffer: bytearray) -> list[bytes]:
    """Take the whole frames out of a buffer."""
    found, at = [], 0
    while len(buffer) - at >= 2:
        length, head = buffer[at + 1] & 127, 2
        if length >= 126:
            head = 4 if length == 126 else 10
            if len(buffer) - at < head:
                break
            length = int.from_bytes(buffer[at + 2 : at + head], "big")
        if len(buffer) - at < head + length:
            break
        found.append(bytes(buffer[at + head : at + head + length]))
        at += head + length
    del buffer[:at]
    return found


def run(report: Report, clients: int, topics: int) -> None:
    """Have the crowd come, be cut off and come back."""
    from tests.streaming.raw_client import BINARY, frame

    context = multiprocessing.get_context("fork")
    ours, its = context.Pipe()
    server = context.Process(target=serve, args=(its, topics))
    server.start()
    port = ours.recv()
    eyes, of_watch = context.Pipe()
    watching = context.Process(target=watch, args=(of_watch, port))
    watching.start()

    crowd = Crowd(port, clients)
    crowd.say(frame(BINARY, msgpack.packb([3, 1, ["prices.*"], {"newest": False}])))
    answer = msgpack.unpackb(next(iter(crowd.answers(topics).values())))
    epoch = crowd.epoch
    positions = [(name, offset) for name, _, offset, _ in answer[2]]
    parts = [
        frame(BINARY, msgpack.packb([10, 1, [epoch, dict(positions[at : at + 2000])]])) for at in range(0, topics, 2000)
    ]
    again = b"".join(parts) + frame(BINARY, msgpack.packb([3, 1, ["prices.*"], {"since": [epoch, {}], "newest": True}]))

    time.sleep(1.0)
    eyes.send("times")
    eyes.recv()
    crowd.close()
    begun = time.perf_counter()
    crowd = Crowd(port, clients)
    crowd.say(again)
    answers = crowd.answers(topics)
    back = time.perf_counter() - begun
    eyes.send("times")
    waits = eyes.recv()
    p99 = 1e3 * waits[min(int(len(waits) * 0.99), len(waits) - 1)]
    recovered = sum(state == 1 for data in answers.values() for *_, state in msgpack.unpackb(data)[2])

    eyes.send("end")
    ours.send("end")
    watching.join()
    server.join()
    ratios = {
        "seconds until the last is back": Ratio(back, BACK, at_least=False),
        "p99 of the bystander's requests, ms": Ratio(p99, BYSTANDER, at_least=False),
        "topics of a client recovered without a gap": Ratio(recovered / clients, topics),
    }
    report.add(f"{clients:,} clients of prices.*, {topics:,} topics", {}, ratios)
    report.notes.append(f"The bystander made {len(waits)} requests from the cut until the last client was back.")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--topics", type=int, default=TOPICS)
    options = parser.parse_args()
    report = Report(
        "reconnect",
        "Clients that come back at once",
        versions("uvicorn", "starlette", "websockets"),
        notes=[
            "All clients of one pattern are cut off in the same moment, connect again, and say for each topic where "
            "they were. A client is back when it has the answer about all topics. Prices are published meanwhile. The "
            "server, the clients and a bystander, which makes one small request after the other, are processes on one "
            "machine.",
        ],
    )
    run(report, options.clients, options.topics)
    if (options.clients, options.topics) == (CLIENTS, TOPICS):
        report.write()


if __name__ == "__main__":
    main()
