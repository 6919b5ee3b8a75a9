"""Measuring the models against real footage."""
