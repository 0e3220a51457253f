"""The check with Zoho's official SDK, the secret read with boto3. The SDK opens a connection for each request."""

import json
import os
import tempfile

import boto3
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.crm.api import ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.mass_change_owner import MassChangeOwnerOperations
from zohocrmsdk.src.com.zoho.crm.api.mass_change_owner.mass_change_owner_operations import CheckStatusParam

# The SDK keeps tokens and logs in files; on Lambda only the temporary directory can be written.
directory = tempfile.mkdtemp()
os.chdir(directory)

secret = json.loads(
    boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["ZOHO_SECRET_ID"])["SecretString"]
)
api_domain = os.environ["ZOHO_API_DOMAIN"]
Initializer.initialize(
    DataCenter.Environment(api_domain, f"{api_domain}/oauth/v2/token", api_domain),
    OAuthToken(access_token=secret["access_token"], find_user=False),
    store=FileStore(os.path.join(directory, "tokens.txt")),
    resource_path=directory,
)


def handler(event, context):
    parameters = ParameterMap()
    parameters.add(CheckStatusParam.job_id, int(event["job_id"]))
    job = MassChangeOwnerOperations(event["module"]).check_status(parameters).get_object().get_data()[0]
    status = job.get_status().get_value()
    print(f"{event['module']} {event['job_id']}: {status}")
    return {
        "status": status,
        "total_count": job.get_total_count(),
        "updated_count": job.get_updated_count(),
        "not_updated_count": job.get_not_updated_count(),
        "failed_count": job.get_failed_count(),
    }
