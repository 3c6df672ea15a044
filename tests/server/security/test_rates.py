from server.security.rates import MOST_KEYS, Buckets


def test_a_bucket_is_filled_with_time_and_never_above_its_burst():
    now = [0.0]
    buckets = Buckets(rate=2, burst=3, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b")
    now[0] = 1
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    now[0] = 100
    assert buckets.level("a") == 3


def test_only_so_many_keys_are_kept():
    buckets = Buckets(rate=0, burst=1, clock=lambda: 0.0)
    for key in range(MOST_KEYS + 1):
        buckets.take(str(key))
    assert buckets.level("0") == 1
    assert buckets.level("1") == 0
