"""Reading metrics in a test, without the process' own ones (they read files, which an event loop must not)."""

from prometheus_client.metrics import MetricWrapperBase


def value_of(metric: MetricWrapperBase, suffix: str = "", **labels: str) -> float:
    """The sample of `metric` with exactly those labels, 0 where there is none yet. `suffix`: `_total`, `_count`, …"""
    for family in metric.collect():
        for sample in family.samples:
            if sample.name == f"{family.name}{suffix}" and sample.labels == labels:
                return sample.value
    return 0.0
