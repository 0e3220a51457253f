"""The one AWS endpoint on this machine: a gateway that records and fails requests, with moto behind it."""
