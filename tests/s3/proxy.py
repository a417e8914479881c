"""A bucket that fails: an HTTP proxy before a real one, which refuses, hangs, loses replies and sends slow bodies."""

import http.client
import http.server
import threading
import time

# What becomes of a request. `lost` does it and says nothing, `hang` does nothing and says nothing.
MODES = ("fine", "refuse", "hang", "lost", "slow")

# A body is sent in pieces of this size where it is slow, with this wait between them.
SLOW_PIECE, SLOW_WAIT = 4096, 0.05


class Proxy:
    """Forwards to `port` of this machine until it is told otherwise; counts requests by what became of them."""

    def __init__(self, port):
        self.target, self.mode = port, "fine"
        self.counts = {mode: 0 for mode in MODES}
        self.lock = threading.Lock()
        # Set while requests may hang: clearing it lets them end.
        self.over = threading.Event()
        self.over.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                outer.handle(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def set(self, mode):
        """How requests fail from now on."""
        assert mode in MODES
        with self.lock:
            self.mode = mode
        if mode == "hang":
            self.over.clear()
        else:
            self.over.set()

    def close(self):
        self.over.set()
        self.server.shutdown()

    def handle(self, request):
        with self.lock:
            mode = self.mode
            self.counts[mode] += 1
        body = self.body(request)
        if mode == "hang":
            self.over.wait()
            request.close_connection = True
            return
        if mode == "refuse":
            self.reply(request, 503, {}, b"out of order")
            return
        try:
            status, headers, answer = self.forward(request, body)
        except OSError:
            self.reply(request, 502, {}, b"nobody is there")
            return
        if mode == "lost":
            request.close_connection = True
            return
        self.reply(request, status, headers, answer, slow=mode == "slow")

    @staticmethod
    def body(request):
        """The body of a request, whichever way its length is told."""
        if request.headers.get("transfer-encoding", "").lower() == "chunked":
            pieces = []
            while size := int(request.rfile.readline().split(b";")[0], 16):
                pieces.append(request.rfile.read(size))
                request.rfile.readline()
            request.rfile.readline()
            return b"".join(pieces)
        return request.rfile.read(int(request.headers.get("content-length") or 0))

    def forward(self, request, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        hop_by_hop = ("connection", "transfer-encoding", "content-length")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in hop_by_hop}
        headers["content-length"] = str(len(body))
        try:
            connection.request(request.command, request.path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    @staticmethod
    def reply(request, status, headers, body, slow=False):
        try:
            request.send_response_only(status)
            is_head = request.command == "HEAD"
            for name, value in headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    request.send_header(name, value)
            length = headers.get("Content-Length", len(body)) if is_head else len(body)
            # 204 and 304 have no body and no length.
            if status not in (204, 304):
                request.send_header("content-length", str(length))
            request.end_headers()
            if is_head:
                return
            for start in range(0, len(body), SLOW_PIECE if slow else max(len(body), 1)):
                piece = body[start : start + SLOW_PIECE] if slow else body
                request.wfile.write(piece)
                request.wfile.flush()
                if slow:
                    time.sleep(SLOW_WAIT)
        except OSError:
            request.close_connection = True
