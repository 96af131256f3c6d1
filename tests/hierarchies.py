"""The hierarchy that tests take where any will do."""

from mrtc.architectures import NVAEConfig

SMALL = NVAEConfig(
    image_side=8,
    padding=0,
    scales=2,
    groups=2,
    group_channels=2,
    channels=4,
    blocks=1,
    block_cells=1,
    group_cells=1,
)
"""8 x 8 pixels; groups of 8, 32 and 32 codes."""
