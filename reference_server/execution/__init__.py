"""How requests are run: one at a time where they read, through one queue where they write."""
