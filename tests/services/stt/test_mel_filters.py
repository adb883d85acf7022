import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from services.stt.mel_filters import SparseFilters


@pytest.mark.parametrize("filters", [80, 128])
def test_the_sparse_bank_gives_what_the_dense_one_gives(filters: int) -> None:
    dense = FeatureExtractor(feature_size=filters).mel_filters
    power = np.random.default_rng(0).random((dense.shape[1], 300), np.float32)
    energies = SparseFilters(dense) @ power
    np.testing.assert_allclose(energies, dense @ power, rtol=1e-4, atol=1e-7)
    assert energies.dtype == np.float32


def test_a_filter_without_bins_gives_nothing() -> None:
    dense = np.array([[0, 1, 2], [0, 0, 0], [3, 0, 0], [0, 0, 0]], np.float32)
    assert (SparseFilters(dense) @ np.ones((3, 2), np.float32)).tolist() == [[3, 3], [0, 0], [3, 3], [0, 0]]
