"""Metrics: arrays in, numbers out. They never see a model, a data set or a device."""
