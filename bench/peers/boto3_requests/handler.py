"""The check with boto3 and requests: clients made once, the secret read once, connections kept."""

import json
import os

import boto3
import requests

TIMEOUT_SECONDS = 10

secret = json.loads(
    boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["ZOHO_SECRET_ID"])["SecretString"]
)
api_domain = os.environ["ZOHO_API_DOMAIN"]
session = requests.Session()
session.headers["Authorization"] = f"Zoho-oauthtoken {secret['access_token']}"


def handler(event, context):
    response = session.get(
        f"{api_domain}/crm/v8/{event['module']}/actions/mass_change_owner",
        params={"job_id": event["job_id"]},
        timeout=TIMEOUT_SECONDS,
    )
    response.raise_for_status()
    job = response.json()["data"][0]
    print(f"{event['module']} {event['job_id']}: {job['Status']}")
    return {
        "status": job["Status"],
        "total_count": job["Total_Count"],
        "updated_count": job["Updated_Count"],
        "not_updated_count": job["Not_Updated_Count"],
        "failed_count": job["Failed_Count"],
    }
