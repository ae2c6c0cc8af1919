"""The dominant cycle of prices, and what is made with it."""

from __future__ import annotations

from fastcore.indicators.registry.schema import Indicator, number, outputs, row

_GROUP, _OVERLAP = "Cycle Indicators", "Overlap Studies"
_EHLERS = "John F. Ehlers, Rocket Science for Traders, 2001"
_PERIOD = (
    "the price smoothed with weights 4 to 1 goes through the Hilbert transform; the period is 360 degrees over the "
    "angle by which its phasor turns in a bar, kept in 6..50 and smoothed"
)

ROWS: tuple[Indicator, ...] = (
    row(
        _GROUP,
        "ht_dcperiod",
        "Hilbert transform: dominant cycle period",
        "real",
        (),
        "The period of the dominant cycle, in bars.",
        f"Homodyne discriminator: {_PERIOD}",
        _EHLERS,
    ),
    row(
        _GROUP,
        "ht_dcphase",
        "Hilbert transform: dominant cycle phase",
        "real",
        (),
        "The phase of the dominant cycle, in degrees, -45 to 315.",
        "``atan(sum(sin(a) * price) / sum(cos(a) * price))`` over one dominant cycle, a going once round, and brought "
        "into the right quadrant",
        _EHLERS,
    ),
    row(
        _GROUP,
        "ht_phasor",
        "Hilbert transform: phasor components",
        "real",
        (),
        outputs(
            inphase="The part in phase with the price, three bars late.",
            quadrature="The part a quarter of a cycle away from it.",
        ),
        "``detrended = H(price)``, ``inphase = detrended[t-3]``, ``quadrature = H(detrended)``, H the Hilbert "
        "transform of seven bars with a gain for the period",
        _EHLERS,
    ),
    row(
        _GROUP,
        "ht_sine",
        "Hilbert transform: sine wave",
        "real",
        (),
        outputs(sine="The sine of the phase.", leadsine="The sine 45 degrees later."),
        "``sin(phase)``, ``sin(phase + 45 degrees)``, phase that of HT_DCPHASE",
        _EHLERS,
    ),
    row(
        _GROUP,
        "ht_trendmode",
        "Hilbert transform: trend or cycle",
        "real",
        (),
        outputs(integer="1 in a trend, 0 in a cycle."),
        "0 for half a cycle after the sine crosses the one that leads, and where the phase turns as a cycle does; 1 "
        "otherwise, and where the smoothed price is 1.5 % or more from the trend line",
        _EHLERS,
    ),
    row(
        _OVERLAP,
        "ht_trendline",
        "Hilbert transform: instantaneous trend line",
        "real",
        (),
        "The price without its dominant cycle.",
        "the mean of the bars of one dominant cycle, smoothed with weights 4 to 1",
        _EHLERS,
    ),
    row(
        _OVERLAP,
        "mama",
        "MESA adaptive moving average",
        "real",
        (
            number("fastlimit", 0.5, "The largest weight of a new price.", 0.01, 0.99),
            number("slowlimit", 0.05, "The least weight of a new price.", 0.01, 0.99),
        ),
        outputs(mama="The adaptive average.", fama="The average of the average, with half the weight."),
        "``mama += w * (real - mama)``, ``fama += w / 2 * (mama - fama)``, ``w = fastlimit / d`` of at least "
        "slowlimit, d the degrees by which the phase of the cycle fell, of at least 1",
        "John F. Ehlers, MESA Adaptive Moving Averages, Technical Analysis of Stocks & Commodities 19, 2001",
        "Begun at 0 twelve bars in, as the published listing has it: the first results still rise to the price.",
    ),
)
