"""What a report says, worked out from a run: pure functions and frozen values that every renderer shares."""
