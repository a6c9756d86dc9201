"""What tests that are scripts require."""

import compare_results


def require(condition, message):
    """Raises AssertionError with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def require_identical(a, b, name, bits=False):
    """Two results files hold the same results: equal bits where groups were of equal size, or everywhere if `bits`."""
    found = compare_results.differences(a, b, bits=bits)
    require(not found, f"{name}:\n" + "\n".join(found[:8]))
