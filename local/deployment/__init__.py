"""template.yaml, read as SAM reads it and deployed on the local stack."""

from local.deployment.deployment import Deployment, Execution, Message, quicken

__all__ = ["Deployment", "Execution", "Message", "quicken"]
