"""Splits a profile into our code, libraries and botocore."""

from collections import defaultdict
from cProfile import Profile
from pathlib import Path
from types import CodeType

OURS, LIBRARIES, BOTOCORE = "ours", "libraries", "botocore"

_ROOT = Path(__file__).parents[1]
_OURS = (str(_ROOT / "chalicelib"), str(_ROOT / "app.py"))
_AWS = ("botocore", "boto3", "urllib3")
#: How many functions of the standard library may call each other in a row.
_DEPTH = 20

#: A function as the profiler names it: its code, or text if it is written in C.
_Function = CodeType | str
#: The seconds in the calls of one function by another.
_Calls = dict[tuple[_Function, _Function], float]


def shares(profile: Profile) -> dict[str, float]:
    """Return the share of each layer in the time of a profile.

    The functions of the standard library, and those written in C, work for those who call them.
    """
    times: dict[_Function, float] = defaultdict(float)
    calls: _Calls = defaultdict(float)
    for entry in profile.getstats():
        times[entry.code] += entry.inlinetime
        for call in entry.calls or ():
            calls[entry.code, call.code] += call.totaltime
    owners = _owners(set(times), calls)
    layers: dict[str, float] = defaultdict(float)
    for function, seconds in times.items():
        for layer, share in owners[function].items():
            layers[layer] += seconds * share
    return {layer: layers[layer] / sum(layers.values()) for layer in (OURS, LIBRARIES, BOTOCORE)}


def _owners(functions: set[_Function], calls: _Calls) -> dict[_Function, dict[str, float]]:
    """Return for each function whose it is, in shares: of its file, or of its callers."""
    owners = {one: {layer: 1.0} if (layer := _layer(one)) else {} for one in functions}
    for _ in range(_DEPTH):
        found: dict[_Function, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for (caller, callee), seconds in calls.items():
            if not _layer(callee):
                for layer, share in owners[caller].items():
                    found[callee][layer] += seconds * share
        for function, layers in found.items():
            total = sum(layers.values()) or 1
            owners[function] = {layer: part / total for layer, part in layers.items()}
    return owners


def _layer(function: _Function) -> str | None:
    if isinstance(function, str):
        return None
    _, is_installed, path = function.co_filename.partition("site-packages/")
    if is_installed:
        return BOTOCORE if path.startswith(_AWS) else LIBRARIES
    return OURS if function.co_filename.startswith(_OURS) else None
