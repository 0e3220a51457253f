"""template.yaml, read as SAM reads it and deployed on the local stack."""

from local.deployment.deployment import SECRET, Deployment, Execution, Message, quicken

__all__ = ["SECRET", "Deployment", "Execution", "Message", "quicken"]
