"""A release: the same bytes for the same inputs, and what the workflow uploads can be deployed without a compiler."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from local import release, verification
from local.deployment import Deployment, quicken
from local.release import ROOT
from local.stack import RELEASE_BINARY, Stack
from local.zoho_simulator import REFRESH_TOKEN_SECRET
from tests.deploy.test_guides import block, run

WATCH_JOB = b"\x7fELF" + bytes(1_000)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of the binary that the other tests run."""
    directory = tmp_path_factory.mktemp("release")
    (directory / "watch-job").write_bytes(WATCH_JOB)
    release.write(directory / "dist", RELEASE_BINARY, directory / "watch-job")
    return directory / "dist"


def test_the_same_inputs_give_the_same_bytes(dist, tmp_path):
    (tmp_path / "watch-job").write_bytes(WATCH_JOB)
    release.write(tmp_path / "dist", RELEASE_BINARY, tmp_path / "watch-job")
    assert (dist / "SHA256SUMS").read_bytes() == (tmp_path / "dist/SHA256SUMS").read_bytes()


def test_what_the_workflow_uploads_can_be_installed(dist, tmp_path):
    """As "Install a release" says: download, verify, deploy, store the credentials, watch."""
    workflow = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    (uploaded,) = re.findall(r"gh release create .* target/dist/(\S+)$", workflow, re.MULTILINE)
    for file in dist.glob(uploaded):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, check=True)
    name = f"{release.NAME}-{release.version()}"
    with tarfile.open(tmp_path / f"{name}-x86_64.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / name
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=unpacked, check=True)
    assert os.access(unpacked / "watch-job", os.X_OK)
    assert "MIT License" in (unpacked / "THIRD-PARTY-LICENSES.txt").read_text(encoding="utf-8")

    with Stack(step_functions=True) as stack:
        zoho = stack.zoho.url
        overrides = ["StatusEmail=you@example.com", f"ZohoApiDomain={zoho}", f"ZohoAccountsDomain={zoho}"]
        # moto reads a template from localhost by its path.
        aws = {**stack.client_variables, "AWS_ENDPOINT_URL": stack.endpoint_url.replace("127.0.0.1", "localhost")}
        done = subprocess.run(
            [Path(sys.executable).with_name("sam"), "deploy", "--parameter-overrides", *overrides],
            cwd=unpacked,
            env={**os.environ, **aws, "SAM_CLI_TELEMETRY": "0"},
            input="y\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Successfully created/updated stack - mass-change-owner-status" in done.stdout, done.stdout + done.stderr
        sent, parameters = download(stack, tmp_path / "sent")
        assert parameters.items() >= dict(parameter.split("=", 1) for parameter in overrides).items()
        with zipfile.ZipFile(sent / "CheckFunction") as package:
            (entry,) = package.infolist()
            assert (entry.filename, entry.external_attr >> 16) == ("bootstrap", 0o100755)
            Path(package.extract(entry, sent)).chmod(0o755)
        how = {"root": sent, "binary": sent / "bootstrap", "alter": quicken, **parameters}
        with Deployment(stack, secret="no credentials yet", **how) as deployment:
            (tmp_path / "secret.json").write_text(json.dumps(REFRESH_TOKEN_SECRET))
            started = run(deployment, tmp_path, block("docs/deploy.md", "Install a release"))
            (execution,) = re.findall(r'"executionArn": "(.*)"', started)
            assert deployment.execution(execution).error == "JobNotFound"
            stack.zoho.control.start_job(job_id="3652397000009565021", run_seconds=2)
            execution = deployment.watch({"module": "Leads", "job_id": "3652397000009565021"})
            assert execution.status == "SUCCEEDED"
            subjects = [message.subject for message in deployment.published()]
            assert subjects[0].startswith("Not watched: Zoho CRM Leads owner change, job ...1")
            assert subjects[1].startswith("Done: Zoho CRM Leads owner change, job ...5021")


def download(stack: Stack, folder: Path) -> tuple[Path, dict[str, str]]:
    """What CloudFormation was given: a folder with the template and its files, and the parameters."""
    folder.mkdir()
    name, s3, cloudformation = release.NAME, stack.client("s3"), stack.client("cloudformation")
    template = yaml_parse(cloudformation.get_template(StackName=name)["TemplateBody"])
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        for key in properties.keys() & {"CodeUri", "DefinitionUri"}:
            uri = properties[key]
            bucket, s3_key = (uri["Bucket"], uri["Key"]) if isinstance(uri, dict) else uri.split("/", 3)[2:]
            (folder / logical_id).write_bytes(s3.get_object(Bucket=bucket, Key=s3_key)["Body"].read())
            properties[key] = logical_id
    (folder / "template.yaml").write_text(json.dumps(template), encoding="utf-8")
    (deployed,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return folder, {one["ParameterKey"]: one["ParameterValue"] for one in deployed["Parameters"]}


def test_version_changelog_and_tags_agree():
    version = release.version()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert versions[0] == version
    tags = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    assert set(tags.split()) <= {f"v{version}"}


def test_another_tag_is_no_release(tmp_path):
    command = [sys.executable, "-m", "local.release", tmp_path / "dist", "--tag", "v99.0.0"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "v99.0.0" in refused.stderr
    assert not (tmp_path / "dist").exists()


def test_the_verification_on_aws_asks_for_what_the_template_has():
    text = Path(verification.__file__).read_text(encoding="utf-8")
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    assert set(re.findall(r'\.output\("(\w+)"\)', text)) <= template["Outputs"].keys()
    resources = {*re.findall(r'\.(?:resource|start)\("(\w+)"', text), *verification.MACHINES}
    assert resources <= template["Resources"].keys()
    assert len(verification.QUESTIONS) == 7
