"""HTTP at the level of bytes: messages, the steps that send them, and the ways in which this fails."""
