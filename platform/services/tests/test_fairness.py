"""Shares between tenants: one alone is never held, and with others there nobody is pushed below an equal share."""

from hypothesis import given
from hypothesis import strategies as st

from refplatform.gateway.fairness import RECENT, Shares


def entered(shares, tenant, count, now=0.0):
    return sum(shares.enter(tenant, now) for _ in range(count))


def test_a_tenant_alone_is_never_held():
    assert entered(Shares(4), "acme", 100) == 100


def test_a_full_house_gives_each_an_equal_share():
    shares = Shares(8)
    assert entered(shares, "quiet", 1) == 1
    assert entered(shares, "noisy", 100) == 7  # until eight are in flight
    assert entered(shares, "quiet", 100) == 3  # up to its share of four, although the house is full
    assert entered(shares, "noisy", 1) == 0


def test_what_others_leave_free_may_be_used():
    shares = Shares(8)
    entered(shares, "quiet", 1)
    shares.leave("quiet")
    assert entered(shares, "noisy", 100) == 8


def test_who_has_not_asked_lately_has_no_share():
    shares = Shares(4)
    entered(shares, "quiet", 1)
    shares.leave("quiet")
    assert entered(shares, "noisy", 100, now=RECENT) == 4
    assert entered(shares, "noisy", 100, now=RECENT + 0.1) == 100


def test_who_is_refused_has_asked_all_the_same():
    shares = Shares(2)
    entered(shares, "quiet", 2)
    assert entered(shares, "noisy", 100) == 1  # its share of one, although quiet has the whole house
    assert entered(shares, "quiet", 1) == 0


@given(room=st.integers(1, 20), asks=st.lists(st.sampled_from("abc"), max_size=120))
def test_nobody_is_refused_below_its_share(room, asks):
    shares, mine = Shares(room), dict.fromkeys("abc", 0)
    for tenant in asks:
        if shares.enter(tenant, 0.0):
            mine[tenant] += 1
        else:
            assert mine[tenant] >= max(1, room // len(set(asks)))
            assert sum(mine.values()) >= room
