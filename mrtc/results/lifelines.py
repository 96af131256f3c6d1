"""Life-lines of codes: at which betas each is in use, what it tells, and what passes to another.

One network serves every beta, so code 3 at beta 0.1 and code 3 at beta 10 are the same code.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from mrtc.errors import ResultsError
from mrtc.results.reader import Results

Criterion = Literal["code_variance", "rate_code"]

THRESHOLDS: dict[Criterion, float] = {"code_variance": 0.01, "rate_code": 0.005}
"""From where on a code is active: that of active units; and the nats of a code at that threshold
whose aggregate posterior is the prior, -log(1 - 0.01) / 2."""

MARGIN = 0.05
"""Nats that a code must tell of a factor beyond another to take it over, or beyond nothing to be
said to tell of it: 0.07 bits, more than the entropies' quadrature errs by."""

NOTHING = -1
"""In :attr:`LifeLines.told`, where a code is not active or tells of no factor."""


@dataclass(frozen=True)
class Event:
    """What happens to a code between two neighbouring betas, as beta rises."""

    kind: Literal["birth", "death", "hand-over"]
    code: int
    """That is born, dies, or takes over."""
    beta: float
    """Where, interpolated linearly in log beta."""
    low: float
    """The evaluated beta below it."""
    high: float
    """The evaluated beta above it; what lies between is not known better than that."""
    factor: int | None = None
    """That is handed over."""
    giver: int | None = None
    """The code that had it."""


@dataclass(frozen=True, eq=False)
class LifeLines:
    """Every code over the evaluated betas."""

    beta: Float[np.ndarray, " beta"]
    rate: Float[np.ndarray, "beta code"]
    """Nats per example."""
    is_active: Bool[np.ndarray, "beta code"]
    factors: tuple[str, ...]
    """Empty where no information is stored."""
    information: Float[np.ndarray, "beta code factor"]
    """Nats."""
    told: Int[np.ndarray, "beta code"]
    """The factor that a code tells most of, in nats, or ``NOTHING``."""
    events: tuple[Event, ...]
    """By increasing beta."""

    def of(self, kind: str, code: int) -> list[Event]:
        """The events of one kind of one code, by increasing beta."""
        return [event for event in self.events if event.kind == kind and event.code == code]

    def end(self, code: int) -> float:
        """The largest beta at which a code is active, as far as it was looked for.

        Infinite where it is active at the largest beta; zero where it never is.
        """
        if self.is_active[-1, code]:
            return np.inf
        deaths = self.of("death", code)
        return deaths[-1].beta if deaths else 0.0

    def order(self) -> list[int]:
        """All codes, those that live to the largest beta first, then by their mean rate."""
        mean = self.rate.mean(0)
        return sorted(range(len(mean)), key=lambda code: (-self.end(code), -mean[code], code))

    def table(self) -> pd.DataFrame:
        """One row for each code, in :meth:`order`.

        ``birth`` and ``death`` are the first and the last; NaN where there is none, since the code
        is active at that end of the range, or, with 0 ``active_betas``, nowhere. ``factor`` is what
        it tells most of at any beta where it is active, with the nats.
        """
        rows = []
        for code in self.order():
            births, deaths = self.of("birth", code), self.of("death", code)
            row: dict[str, object] = {
                "code": code,
                "active_betas": int(self.is_active[:, code].sum()),
                "birth": births[0].beta if births else np.nan,
                "death": deaths[-1].beta if np.isfinite(self.end(code)) and deaths else np.nan,
                "greatest_rate": float(self.rate[:, code].max()),
            }
            if self.factors:
                most = np.where(self.is_active[:, code, None], self.information[:, code], 0).max(0)
                tells = most.max() > MARGIN
                row["factor"] = self.factors[int(most.argmax())] if tells else ""
                row["information"] = float(most.max())
            rows.append(row)
        return pd.DataFrame(rows)

    def event_table(self) -> pd.DataFrame:
        """One row for each birth, death and hand-over, by increasing beta."""
        rows = [
            {
                "event": event.kind,
                "beta": event.beta,
                "low": event.low,
                "high": event.high,
                "code": event.code,
                "factor": "" if event.factor is None else self.factors[event.factor],
                "giver": event.giver,
            }
            for event in self.events
        ]
        columns = ["event", "beta", "low", "high", "code", "factor", "giver"]
        return pd.DataFrame(rows, columns=columns).astype({"giver": "Int64"})


def life_lines(
    results: Results,
    by: Criterion = "code_variance",
    threshold: float | None = None,
    margin: float = MARGIN,
) -> LifeLines:
    """The life-lines of a stored evaluation.

    Args:
        results: Of a multi-rate model at two betas or more.
        by: What says that a code is active: the variance of its posterior mean, as for active
            units, or its rate in nats.
        threshold: From where on it is; by default that of the file's active units, or
            ``THRESHOLDS``.
        margin: Nats, see :func:`hand_overs`.

    Raises:
        ResultsError: If the file does not hold the rates, or has fewer than two betas.
    """
    measure, rate = results.metric(by), results.metric("rate_code")
    has_factors = "information" in results.metrics and bool(results.factors)
    information = (
        results.metric("information") if has_factors else np.zeros((*rate.shape, 0), np.float64)
    )
    beta = results.beta[results.evaluated]
    known = np.isfinite(measure).all(1) & np.isfinite(rate).all(1)
    known &= np.isfinite(information).all((1, 2))
    if known.sum() < 2:
        raise ResultsError(
            f"{results.path} has values at {known.sum()} beta, and life-lines go from beta to "
            "beta; evaluate a multi-rate model (a baseline has one beta) at two betas or more"
        )
    if threshold is None:
        stored = results.parameters.get("active_units", {}) if by == "code_variance" else {}
        threshold = float(stored.get("threshold", THRESHOLDS[by]))
    beta, measure, rate, information = (a[known] for a in (beta, measure, rate, information))
    is_active = measure >= threshold
    events = lives(beta, measure, threshold) + hand_overs(beta, information, margin)
    return LifeLines(
        beta,
        rate,
        is_active,
        results.factors if has_factors else (),
        information,
        _told(information, is_active, margin),
        tuple(sorted(events, key=lambda event: (event.beta, event.kind, event.code))),
    )


def lives(
    beta: Float[np.ndarray, " beta"], measure: Float[np.ndarray, "beta code"], threshold: float
) -> list[Event]:
    r"""Births and deaths: where a measure of each code passes the threshold.

    .. math:: \log\beta = \log\beta_1 + \frac{t - v_1}{v_2 - v_1} (\log\beta_2 - \log\beta_1)

    This is exact where the measure is linear in log beta, as the rate of a code of the linear VAE
    is while it lives.

    Args:
        beta: Increasing.
        measure: At each beta; a code is active from ``threshold`` on.
        threshold: In the measure's unit.
    """
    is_active = measure >= threshold
    changes = np.argwhere(is_active[1:] != is_active[:-1]).tolist()
    return [
        Event(
            "birth" if is_active[at + 1, code] else "death",
            code,
            *_crossing(beta, measure[:, code] - threshold, at),
        )
        for at, code in changes
    ]


def hand_overs(
    beta: Float[np.ndarray, " beta"],
    information: Float[np.ndarray, "beta code factor"],
    margin: float = MARGIN,
) -> list[Event]:
    """Where the code that tells most of a factor becomes another one, as beta rises.

    A code holds a factor from where it is the first to tell more than ``margin`` of it, until
    another one tells more than ``margin`` beyond what it tells. The hand-over is where the two were
    last equal before that. So codes that tell about the same do not pass a factor to and fro.

    Args:
        beta: Increasing.
        information: Mutual information of codes and factors, in nats.
        margin: In nats.
    """
    events = []
    for factor in range(information.shape[2]):
        of_codes = information[:, :, factor]
        holder: int | None = None
        for at, best in enumerate(of_codes.argmax(1).tolist()):
            if holder is None:
                holder = best if of_codes[at, best] > margin else None
            elif of_codes[at, best] - of_codes[at, holder] > margin:
                lead = of_codes[:, best] - of_codes[:, holder]
                # There is one: where the holder became it, nobody told more.
                last = int(np.flatnonzero(lead[:at] <= 0)[-1])
                place = _crossing(beta, lead, last)
                events.append(Event("hand-over", best, *place, factor, holder))
                holder = best
    return events


def _crossing(
    beta: Float[np.ndarray, " beta"], values: Float[np.ndarray, " beta"], at: int
) -> tuple[float, float, float]:
    """Where ``values`` pass zero behind position ``at``, and the betas on both sides."""
    low, high = float(beta[at]), float(beta[at + 1])
    share = float(values[at] / (values[at] - values[at + 1]))
    return low * (high / low) ** share, low, high


def _told(
    information: Float[np.ndarray, "beta code factor"],
    is_active: Bool[np.ndarray, "beta code"],
    margin: float,
) -> Int[np.ndarray, "beta code"]:
    if not information.shape[2]:
        return np.full(is_active.shape, NOTHING)
    tells = is_active & (information.max(2) > margin)
    return np.where(tells, information.argmax(2), NOTHING)
