"""`python -m local.stack`: the stack with the function deployed, until Ctrl-C."""

from __future__ import annotations

import signal
import sys

from local.stack.stack import QUICK_BINARY, Stack


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with Stack(step_functions=True) as stack:
        token = stack.zoho.control.issue_token()
        job_id = stack.zoho.control.start_job(run_seconds=600)
        stack.secret({"access_token": token}, "zoho")
        topic = stack.topic("zoho-jobs")
        env = {"ZOHO_SECRET_ID": "zoho", "ZOHO_API_DOMAIN": stack.zoho.url, "STATUS_TOPIC_ARN": topic.arn}
        stack.function("mass-change-owner-status", env, QUICK_BINARY)
        print(
            f"AWS  {stack.endpoint_url}\nZoho {stack.zoho.url}\n\n"
            "To use it with any AWS client, in another shell:\n\n"
            f"  export AWS_ENDPOINT_URL={stack.endpoint_url} AWS_REGION=us-east-1"
            " AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing\n"
            "  aws lambda invoke --function-name mass-change-owner-status --cli-binary-format raw-in-base64-out"
            f' --payload \'{{"module": "Leads", "job_id": "{job_id}"}}\' /dev/stdout\n',
            flush=True,
        )
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
