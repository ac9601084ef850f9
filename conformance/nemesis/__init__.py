"""The nemesis: faults in front of, and under, a target at work, a recorded history, and a judge of that history."""
