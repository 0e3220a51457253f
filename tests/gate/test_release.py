"""A release: the same bytes for the same inputs, and what the workflow uploads can be deployed without a compiler."""

from __future__ import annotations

import io
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
        s3 = stack.client("s3")
        s3.create_bucket(Bucket="artifacts")
        sam(stack, unpacked, "package", "--s3-bucket", "artifacts", "--output-template-file", "packaged.yaml")
        packaged = yaml_parse((unpacked / "packaged.yaml").read_text(encoding="utf-8"))

        def uploaded_file(uri: dict[str, str] | str) -> bytes:
            bucket, key = (uri["Bucket"], uri["Key"]) if isinstance(uri, dict) else uri.split("/", 3)[2:]
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

        # What would be deployed is what `Deployment` deploys: the same definitions and settings, and the same binary.
        source = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
        for logical_id, resource in packaged["Resources"].items():
            properties, given = resource.get("Properties", {}), source["Resources"][logical_id].get("Properties", {})
            if "DefinitionUri" in properties:
                text = (ROOT / given.pop("DefinitionUri")).read_bytes()
                assert uploaded_file(properties.pop("DefinitionUri")) == text
            if "CodeUri" in properties:
                given.pop("CodeUri")
                with zipfile.ZipFile(io.BytesIO(uploaded_file(properties.pop("CodeUri")))) as package:
                    (entry,) = package.infolist()
                    assert (entry.filename, entry.external_attr >> 16) == ("bootstrap", 0o100755)
                    binary = tmp_path / "bootstrap"
                    binary.write_bytes(package.read(entry))
                    binary.chmod(0o755)
            assert properties == given, logical_id
        with Deployment(stack, secret="no credentials yet", binary=binary, alter=quicken) as deployment:
            credentials = json.dumps(REFRESH_TOKEN_SECRET)
            stack.client("secretsmanager").put_secret_value(SecretId=deployment.name, SecretString=credentials)
            stack.zoho.control.start_job(job_id="3652397000009565021", run_seconds=2)
            execution = deployment.watch({"module": "Leads", "job_id": "3652397000009565021"})
            assert execution.status == "SUCCEEDED"
            (message,) = deployment.published()
            assert message.subject.startswith("Done: Zoho CRM Leads owner change, job ...5021")


def sam(stack: Stack, folder: Path, *arguments: str) -> None:
    environment = {**os.environ, **stack.client_variables, "SAM_CLI_TELEMETRY": "0"}
    command = [Path(sys.executable).with_name("sam"), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


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
