"""Model `lite`: key points on a face mesh, driven by an LSTM, warp the portrait's own pixels."""
