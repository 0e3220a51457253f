"""The dashboard of template.yaml, drawn from what the function wrote during a real run."""
