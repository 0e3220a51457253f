"""`make run`: what a newcomer sees first."""
