"""The face as a participant of rooms that other programs run."""
