#!/usr/bin/env python3
"""A model hub that misbehaves on demand, for the tests of downloading.

hub_server.py ROOT prints "HUB_PORT CDN_PORT" and serves until its standard input ends.

/any/name/resolve/main/FILE gives ROOT/FILE. ROOT/FILE.hub.json is one answer, or a list of them, one
for each request in turn, the last one for all that follow; CDN answers (/cdn/FILE on the other port)
are in ROOT/FILE.cdn.json. Every request is appended to ROOT/log.jsonl. An answer may have:

  status       this status and no file; with retry_after, that header too
  redirect     to the CDN ("cdn"), or to this address
  linked       true: declare the true sum and size as the hub does; or the sum to declare
  etag         instead of the true one
  no_range     ignore Range
  cut          close the connection after so many bytes of the body
  hang         say nothing more after so many bytes
  length       declare this Content-Length; false: none
  slow         bytes for each tenth of a second
  silent       never answer
"""
import hashlib
import http.server
import json
import os
import re
import sys
import threading
import time

root = sys.argv[1]
counts = {}
lock = threading.Lock()
ports = {}


def note(entry):
    with lock, open(os.path.join(root, "log.jsonl"), "a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")


def next_answer(name, role):
    try:
        with open(os.path.join(root, f"{name}.{role}.json"), encoding="utf-8") as file:
            answers = json.load(file)
            answers = answers if isinstance(answers, list) else [answers]
    except FileNotFoundError:
        return {}
    with lock:
        turn = counts.get((name, role), 0)
        counts[(name, role)] = turn + 1
    return answers[min(turn, len(answers) - 1)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    role = "hub"

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = os.path.basename(self.path.split("?")[0])
        answer = next_answer(name, self.role)
        note({"role": self.role, "path": self.path, "range": self.headers.get("Range", ""),
              "if_range": self.headers.get("If-Range", ""),
              "authorization": self.headers.get("Authorization", "")})
        if answer.get("silent"):
            time.sleep(20)
            return self.hang_up()
        if "status" in answer:
            headers = {"Content-Length": "0"}
            if "retry_after" in answer:
                headers["Retry-After"] = str(answer["retry_after"])
            return self.head(answer["status"], headers)
        try:
            with open(os.path.join(root, name), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return self.head(404, {"Content-Length": "0"})
        self.give(name, content, answer)

    def give(self, name, content, answer):
        headers = {}
        linked = answer.get("linked")
        if linked:
            true_sum = hashlib.sha256(content).hexdigest()
            headers["X-Linked-Etag"] = '"%s"' % (true_sum if linked is True else linked)
            headers["X-Linked-Size"] = str(len(content))
        redirect = answer.get("redirect")
        if redirect:
            if redirect == "cdn":
                redirect = f"http://127.0.0.1:{ports['cdn']}/cdn/{name}?signature=secret"
            headers.update({"Location": redirect, "Content-Length": "0"})
            return self.head(302, headers)
        etag = answer.get("etag", '"%s"' % hashlib.md5(content).hexdigest())
        headers["ETag"] = etag
        first = self.first_byte(content, etag, answer)
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        body = content[first:]
        length = answer.get("length", len(body))
        if length is not False:
            headers["Content-Length"] = str(length)
        else:
            headers["Connection"] = "close"
        self.head(206 if first else 200, headers)
        self.body(body, answer)
        if length is False:
            self.hang_up()

    def first_byte(self, content, etag, answer):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked or answer.get("no_range"):
            return 0
        condition = self.headers.get("If-Range")
        if condition and condition != etag:
            return 0
        return int(asked.group(1)) if int(asked.group(1)) < len(content) else 0

    def head(self, status, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def body(self, body, answer):
        end = min(len(body), answer.get("cut", len(body)), answer.get("hang", len(body)))
        step = answer.get("slow", 65536)
        try:
            for at in range(0, end, step):
                self.wfile.write(body[at:min(at + step, end)])
                self.wfile.flush()
                if "slow" in answer:
                    time.sleep(0.1)
        except OSError:
            return
        if "hang" in answer:
            time.sleep(20)
        if "cut" in answer or "hang" in answer:
            self.hang_up()

    def hang_up(self):
        self.close_connection = True


class CdnHandler(Handler):
    role = "cdn"


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # clients that go away are what is tested


servers = {"hub": Server(("127.0.0.1", 0), Handler), "cdn": Server(("127.0.0.1", 0), CdnHandler)}
for role, server in servers.items():
    server.daemon_threads = True
    ports[role] = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(ports["hub"], ports["cdn"], flush=True)
sys.stdin.read()
os._exit(0)
