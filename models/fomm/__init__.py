"""The First Order Motion Model: key points of a face, dense motion between two, and the picture."""
