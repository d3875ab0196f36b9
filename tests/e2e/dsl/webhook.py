"""webhook.py PORT FOLDER: another system that takes events, and keeps them in FOLDER.

With tls.crt and tls.key in FOLDER it speaks TLS. What it answers stands in FOLDER/answer: a
status, or `hang`, or `302 URL`. It checks each signature by itself, with the key in FOLDER/key, as
Standard Webhooks has it: over id, time and body.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import threading

port, folder = int(sys.argv[1]), sys.argv[2]
lock = threading.Lock()


def place(name):
    return os.path.join(folder, name)


def is_signed(headers, body):
    with open(place("key")) as file:
        key = base64.b64decode(file.read().strip().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mine = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(f"v1,{mine}", one) for one in given)


class Take(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(place("answer")) as file:
            answer = file.read().split()
        kept = {
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": body.decode(),
            "signed": is_signed(self.headers, body),
            "answer": answer[0],
        }
        with lock:
            number = len(os.listdir(place("events")))
            with open(place("event.new"), "w") as file:
                json.dump(kept, file)
            os.rename(place("event.new"), place(f"events/{number:04}.json"))
        if answer[0] == "hang":
            threading.Event().wait()
        self.send_response(int(answer[0]))
        if len(answer) > 1:
            self.send_header("location", answer[1])
        # More than anybody reads, where there is a body at all.
        length = 0 if answer[0] == "204" else 1000000
        self.send_header("content-length", str(length))
        self.end_headers()
        self.wfile.write(b"x" * length)

    do_GET = do_POST

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Take)
server.daemon_threads = True
# Who hangs up before the end is no news.
server.handle_error = lambda *words: None
if os.path.exists(place("tls.crt")):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(place("tls.crt"), place("tls.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
