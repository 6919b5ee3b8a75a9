"""EAMM at full size: sound, pose and an emotion clip -> key points -> First Order Motion Model."""
