"""A keeper of copies, of Python's own library alone: HTTPS, and what the signature says is checked.

Arguments: certificate, key, file of the secret, folder. Prints its port once it listens.
"""

import base64
import hashlib
import hmac
import http.server
import os
import ssl
import sys
import time

CERTIFICATE, KEY, SECRET, FOLDER = sys.argv[1:5]


class Keeper(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.split("?")[0]
        if path == "/redirect":
            return self.answer(302, [("location", "/keep")])
        if path != "/keep":
            return self.answer(500, [])
        digest = hashlib.sha256(body)
        told = "sha-256=:" + base64.b64encode(digest.digest()).decode() + ":"
        stamp, what, number = (
            self.headers["quorate-" + name] for name in ("timestamp", "what", "sequence")
        )
        text = "\n".join([stamp, what, number, digest.hexdigest()])
        secret = open(SECRET, "rb").read().strip()
        signed = "v1=" + hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        fresh = abs(time.time() - int(stamp)) < 300
        if not hmac.compare_digest(signed, self.headers["quorate-signature"]) or not fresh:
            return self.answer(401, [])
        if self.headers["content-digest"] != told:
            return self.answer(400, [])
        with open(os.path.join(FOLDER, what + "-" + os.path.basename(number)), "wb") as file:
            file.write(body)
        self.answer(204, [])

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeper)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
