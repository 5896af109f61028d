from optshare.testing import parametrize


@parametrize("mygrad")
def test_conformance(check):
    check()
