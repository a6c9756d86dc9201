"""The clocks of the noising processes: time against log tau = log b^2/a^2, on which all of them agree."""

from __future__ import annotations

import numpy as np

DDPM_STEPS, DDPM_BETAS = 1000, (1e-4, 2e-2)


def log_tau(process: str, time: np.ndarray) -> np.ndarray:
    """log b^2/a^2 at times of the process; NaN for a process that is not known."""
    time = np.asarray(time, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if process == "variance-exploding":
            return np.log(time)
        if process == "flow-matching":
            return 2.0 * (np.log(time) - np.log1p(-time))
        if process == "ddpm-linear":
            time = np.interp(time, np.arange(DDPM_STEPS + 1), ddpm_clock())
        elif process != "ornstein-uhlenbeck":
            return np.full_like(time, np.nan)
        return np.log(np.expm1(2.0 * time))


def time_at(process: str, log_tau_value: np.ndarray) -> np.ndarray:
    """The inverse of log_tau; NaN for a process that is not known, and beyond the last step of one that has one."""
    value = np.asarray(log_tau_value, float)
    if process == "variance-exploding":
        return np.exp(value)
    if process == "flow-matching":
        return 1.0 / (1.0 + np.exp(-0.5 * value))
    time = 0.5 * np.logaddexp(0.0, value)
    if process == "ddpm-linear":
        return np.interp(time, ddpm_clock(), np.arange(DDPM_STEPS + 1.0), right=np.nan)
    return time if process == "ornstein-uhlenbeck" else np.full_like(value, np.nan)


def ddpm_clock() -> np.ndarray:
    """Ornstein-Uhlenbeck times -1/2 log alphabar of the steps."""
    return np.concatenate([[0.0], np.cumsum(-0.5 * np.log1p(-np.linspace(*DDPM_BETAS, DDPM_STEPS)))])
