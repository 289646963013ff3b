"""Probes: does a service answer? Each is a `Check`; `Probe` limits it; `Threshold` judges a row."""

from acmd.drivers.probes.probe import Check, CheckFailed, Probe, Reading
from acmd.drivers.probes.threshold import Threshold, Verdict

__all__ = ["Check", "CheckFailed", "Probe", "Reading", "Threshold", "Verdict"]
