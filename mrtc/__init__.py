"""Multi-rate VAEs: train one model for every beta, and measure it over all of them."""

__version__ = "0.1.0"
