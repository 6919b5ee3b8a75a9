"""Model `lite`: key points on a face mesh, driven by a small LSTM, warping the portrait's own pixels."""
