"""Writes everything that a release consists of into a directory, byte for byte the same for the same inputs."""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "mass-change-owner-status"
ZIP = f"{NAME}.zip"
# What the archive says about the age of its one file: the oldest time that the format can express.
_TIME = (1980, 1, 1, 0, 0, 0)

_TERRAFORM = """\
# The function alone. template.yaml has everything else: the role, the state machines, and the alarms.
resource "aws_lambda_function" "check" {{
  function_name    = "{name}"
  filename         = "${{path.module}}/{zip}"
  source_code_hash = "{hash}"
  role             = aws_iam_role.check.arn
  handler          = "bootstrap"
  runtime          = "provided.al2023"
  architectures    = ["x86_64"]
  memory_size      = 128
  timeout          = 30

  environment {{
    variables = {{
      ZOHO_SECRET_ID   = aws_secretsmanager_secret.zoho.arn
      STATUS_TOPIC_ARN = aws_sns_topic.status.arn
    }}
  }}

  logging_config {{
    log_format = "JSON"
  }}
}}
"""

_CDK = """\
// The function alone. template.yaml has everything else: include it with CfnInclude, or write the rest yourself.
const check = new lambda.Function(this, "Check", {{
  code: lambda.Code.fromAsset("{zip}"),
  handler: "bootstrap",
  runtime: lambda.Runtime.PROVIDED_AL2023,
  architecture: lambda.Architecture.X86_64,
  memorySize: 128,
  timeout: Duration.seconds(30),
  environment: {{ ZOHO_SECRET_ID: secret.secretArn, STATUS_TOPIC_ARN: topic.topicArn }},
  loggingFormat: lambda.LoggingFormat.JSON,
}});
secret.grantRead(check);
secret.grantWrite(check);
topic.grantPublish(check);
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.release", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--binary", type=Path, default=ROOT / f"target/lambda/{NAME}/bootstrap")
    parser.add_argument("--sbom", type=Path, required=True)
    parser.add_argument("--tag", help="fail unless this tag is that of the version")
    arguments = parser.parse_args()
    if arguments.tag and arguments.tag != f"v{version()}":
        print(f"the tag is {arguments.tag}, but Cargo.toml has the version {version()}", file=sys.stderr)
        return 1
    write(arguments.directory, arguments.binary, arguments.sbom)
    print((arguments.directory / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


def version() -> str:
    return tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]


def write(directory: Path, binary: Path, sbom: Path) -> None:
    """Write the archive, the template, the snippets, the SBOM, and the checksums."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "statemachine").mkdir(parents=True)
    archive(binary, directory / ZIP)
    digest = hashlib.sha256((directory / ZIP).read_bytes()).digest()
    (directory / "template.yaml").write_text(packaged_template(), encoding="utf-8")
    for definition in sorted((ROOT / "statemachine").glob("*.asl.json")):
        shutil.copyfile(definition, directory / "statemachine" / definition.name)
    base64_digest = base64.b64encode(digest).decode()
    values = {"name": NAME, "zip": ZIP, "hash": base64_digest}
    (directory / "function.tf").write_text(_TERRAFORM.format(**values), encoding="utf-8")
    (directory / "function.cdk.ts").write_text(_CDK.format(**values), encoding="utf-8")
    shutil.copyfile(sbom, directory / "sbom.cdx.json")
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(directory)}\n" for path in files]
    (directory / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def archive(binary: Path, path: Path) -> None:
    """The deployment package: one executable file, without anything that differs from build to build."""
    entry = zipfile.ZipInfo("bootstrap", _TIME)
    entry.create_system = 3  # Unix: the permissions count
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(entry, binary.read_bytes(), compresslevel=9)


def packaged_template() -> str:
    """The template with the archive in the place of the sources: whoever deploys it needs no compiler."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    build = r"      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: [\w-]+\n"
    text, builds = re.subn(build, "", text)
    text, codes = re.subn(r"^      CodeUri: \.$", f"      CodeUri: {ZIP}", text, flags=re.MULTILINE)
    if (builds, codes) != (1, 1):
        raise ValueError("template.yaml builds its function in another way than this program expects")
    return text


if __name__ == "__main__":
    sys.exit(main())
