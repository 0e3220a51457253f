"""Status requests below HTTP."""

from __future__ import annotations

import socket

from local.zoho_simulator import Zoho

from .raw_socket import connect, send


class StatusCall:
    """Status requests for a completed job on one connection."""

    def __init__(self, zoho: Zoho) -> None:
        self._job_id = zoho.control.start_job(run_seconds=0, total=50_000)
        self._token = zoho.control.issue_token()
        self.connection = connect(zoho)

    def ask(self) -> socket.socket:
        send(self.connection, f"/crm/v8/Leads/actions/mass_change_owner?job_id={self._job_id}", self._token)
        return self.connection
