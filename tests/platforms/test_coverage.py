"""Every claim of the platform names a file and a test that exist."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROWS = yaml.safe_load((ROOT / "platform" / "coverage.yaml").read_text())


def test_no_two_rows_have_one_id():
    ids = [row["id"] for row in ROWS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_claim_names_its_tier_its_owner_and_its_test(row):
    assert row.keys() == {"id", "system", "tier", "owner", "test"}
    assert row["tier"] in {"local", "k8s", "cloud"}
    assert (ROOT / row["owner"]).is_file()
    file, _, name = row["test"].partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text()
