"""Reads the stage's metrics."""

from prometheus_client.metrics import MetricWrapperBase


def value(metric: MetricWrapperBase, sample: str, **labels: str) -> float:
    """The value of one sample of a metric; 0 where there is none yet."""
    samples = (each for family in metric.collect() for each in family.samples)
    return next((each.value for each in samples if each.name == sample and each.labels == labels), 0.0)
