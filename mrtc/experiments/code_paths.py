"""Ways from one code vector to another."""

import torch
from jaxtyping import Float
from torch import Tensor


def along_line(
    start: Float[Tensor, " code"], end: Float[Tensor, " code"], steps: Float[Tensor, " step"]
) -> Float[Tensor, "step code"]:
    """Codes on the line from ``start``, at step 0, to ``end``, at step 1."""
    return start + steps[:, None] * (end - start)


def along_circle(
    start: Float[Tensor, " code"], end: Float[Tensor, " code"], steps: Float[Tensor, " step"]
) -> Float[Tensor, "step code"]:
    r"""Codes between two, turning about the origin by equal angles; ends of one norm keep it.

    .. math:: z_t = \frac{\sin((1 - t)\,\omega)\, a + \sin(t\,\omega)\, b}{\sin\omega}

    where :math:`\omega` is the angle between the ends. On a line where they have (nearly) the same
    or opposite directions, or one is zero, and there is no such circle.

    References:
        Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    a, b = start.double(), end.double()
    norms = a.norm() * b.norm()
    cosine = (a @ b / norms).clamp(-1, 1) if norms > 0 else torch.ones_like(norms)
    if 1 - cosine.abs() < 1e-9:
        return along_line(start, end, steps)
    angle, t = cosine.acos(), steps.double()[:, None]
    z = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    return z.to(start)
