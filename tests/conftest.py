"""Fixtures for all rooms: our copy of the golden numbers, and a small synthetic dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from frhead_core.config import Preparation, load_recipe
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    fingerprint,
    transform_sequences,
)
from frhead_core.data.synthetic import write_nw_ucla
from tests.golden.files import OWN
from tests.s3_fixtures import bucket, faulty_store, proxy, s3_address, store

__all__ = ["bucket", "faulty_store", "proxy", "s3_address", "store"]  # fixtures for all rooms

# What a call takes depends on the machine, and the first one on whether there is machine code yet.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)  # there is no such hook without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Container tests go to one worker, which makes one engine; all others one by one.

    The marker ``xdist_group`` does the same, but has no effect with pytest 9.2 and xdist 3.8.
    """
    return _ContainersTogether(config, log)


class _ContainersTogether(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return "containers" if nodeid.startswith("tests/containers/") else nodeid


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Our own copy, which is whole, whatever FRHEAD_GOLDEN makes the golden tests look at."""
    return OWN


@pytest.fixture(scope="session")
def synthetic_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 synthetic recordings: 2 performers, 10 actions, 3 views."""
    output = tmp_path_factory.mktemp("synthetic") / "all_sqe.zip"
    return write_nw_ucla(output, seed=3, performers=2, replications=1)


@pytest.fixture(scope="session")
def synthetic_store(synthetic_zip: Path) -> Path:
    """The store of ``synthetic_zip`` for the benchmark "demo-nw-ucla": 40 train, 20 test."""
    folder = synthetic_zip.parent
    everything = Preparation(official_list=False)
    mark = fingerprint("nw-ucla", synthetic_zip)
    extract_raw_skeletons("nw-ucla", synthetic_zip, folder / "raw", everything, mark)
    denoise_skeletons("nw-ucla", folder / "raw", folder / "denoised", everything)
    splits = {"demo-nw-ucla": load_recipe("demo-nw-ucla").split}
    store = folder / "store"
    transform_sequences("nw-ucla", folder / "denoised", store, splits, everything)
    return store
