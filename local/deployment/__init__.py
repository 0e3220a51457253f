"""template.yaml, read as SAM reads it and deployed on the local stack."""

from local.deployment.deployment import STATE_MACHINES, Deployment, Execution, quicken

__all__ = ["STATE_MACHINES", "Deployment", "Execution", "quicken"]
