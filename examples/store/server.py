"""A store of registers that keeps everything in memory and replicates nothing: each node is a store of its own.

    GET  /KEY                         -> 200 {"value": 17}, or 404
    PUT  /KEY   17                    -> 200
    POST /KEY   {"from": 17, "to": 4} -> 200, or 409 {"found": 18}
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

registers = {}
lock = Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/":
            return self.answer(200, {"up": True})
        with lock:
            value = registers.get(self.path)
        if value is None:
            return self.answer(404, {})
        self.answer(200, {"value": value})

    def do_PUT(self):
        value = self.body()
        with lock:
            registers[self.path] = value
        self.answer(200, {})

    def do_POST(self):
        cas = self.body()
        with lock:
            found = registers.get(self.path)
            swapped = found == cas["from"]
            if swapped:
                registers[self.path] = cas["to"]
        self.answer(200 if swapped else 409, {} if swapped else {"found": found})

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
