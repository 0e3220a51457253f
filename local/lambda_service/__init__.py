"""The Lambda service on this machine: execution environments that run the real binary behind the Runtime API."""
