"""The terminal watch with the function's own secret."""

from __future__ import annotations

import subprocess

from local.aws_endpoint.moto_process import CREDENTIALS, REGION
from local.demo.terminal import newest_build
from local.stack import Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET


def test_two_watches_share_one_token_through_the_secret():
    watch_job = newest_build()
    assert watch_job, "watch-job is missing: make watch-job"
    with Stack() as stack:
        secret_id = stack.secret(REFRESH_TOKEN_SECRET)
        job_id = stack.zoho.control.start_job(run_seconds=1)
        stack.zoho.control.advance(2)
        env = {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": stack.endpoint_url,
            "ZOHO_API_DOMAIN": stack.zoho.url,
            "ZOHO_ACCOUNTS_DOMAIN": stack.zoho.url,
        }
        command = [watch_job, "Leads", job_id, "--secret-id", secret_id]
        for _ in range(2):
            shown = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
            assert (shown.returncode, shown.stderr) == (0, "")
        assert stack.zoho.control.stats().tokens_minted == 1
        del env["AWS_REGION"]
        shown = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert shown.returncode == 2
        assert "AWS_REGION" in shown.stderr
