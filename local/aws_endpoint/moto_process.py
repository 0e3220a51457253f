"""moto in a separate process: its state is global, so every stack needs its own process.

Run as a program, this file is that process. It exits when its standard input closes, so that it never outlives the
stack, however the stack ends.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from typing import Any

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"  # moto's default
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_SESSION_TOKEN": "testing"}


class Moto:
    """A moto server whose own requests (the tasks of state machines) go to `callback_port` on localhost.

    State machines wait `speed` times less long than they should.
    """

    def __init__(self, callback_port: int, speed: float = 1.0) -> None:
        self._callback_port = callback_port
        self._speed = speed

    def start(self) -> int:
        """Start the server and return the port that it listens on."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # the stack handles Ctrl-C; otherwise moto would exit first
            env={
                "PATH": os.environ.get("PATH", ""),
                "MOTO_PORT": str(self._callback_port),
                "LOCAL_SPEED": str(self._speed),
                "AWS_DEFAULT_REGION": REGION,
                **CREDENTIALS,
            },
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"moto did not start: exit status {self._process.wait()}")
        return int(line)

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def _serve() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    sys.path.append(os.path.dirname(__file__))
    import moto_differences

    moto_differences.complete(float(os.environ["LOCAL_SPEED"]))
    assert "moto.cloudformation" not in sys.modules, "it is slow, and needs more than the group `stack` installs"

    class Handler(MotoRequestHandler):
        # Headers and body are separate writes: without this, each response can stall for 40 ms.
        disable_nagle_algorithm = True

        def log_request(self, *_: object) -> None:
            """The gateway records the requests."""

    # It logs each failed task of a state machine, and tests make tasks fail on purpose.
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)

    def create(service: str) -> Any:
        if service == "cloudformation":
            moto_differences.deploy_serverless_templates()
        return create_backend_app(service)

    application = DomainDispatcherApplication(create)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _serve()
