"""Real time: sound in, clock, pacing, tracks, signalling, metrics. No torch, no faces."""
