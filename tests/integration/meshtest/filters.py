"""HTTP filters in a few words: as a chain names them and as the levels of a route speak to them."""
import unittest

from .bootstrap import bootstrap, cluster
from .data_plane import DataPlane
from .raw_http import fetch
from .upstream import Upstream

HTTP = "type.googleapis.com/envoy.extensions.filters.http"
FILTER_CONFIG = "type.googleapis.com/envoy.config.route.v3.FilterConfig"
ALWAYS, NEVER = {"default_value": {"numerator": 100}}, {"default_value": {"numerator": 0}}


def named(name, message_name, **fields):
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": f"{HTTP}.{message_name}", **fields}}


def told(name, message_name, **fields):
    """What a route (or another level) says to the filter."""
    return {"typed_per_filter_config": {f"envoy.filters.http.{name}": {"@type": f"{HTTP}.{message_name}", **fields}}}


def switched(name, **fields):
    return {"typed_per_filter_config": {f"envoy.filters.http.{name}": {"@type": FILTER_CONFIG, **fields}}}


class FilterTest(unittest.TestCase):
    """One proxy for the tests of a class, with listeners that each try something, and one upstream."""

    @classmethod
    def start(cls, listeners, clusters=(), options=None, flags=(), **fields):
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.proxy = DataPlane(bootstrap(listeners, [cluster("up", cls.upstream.address, **(options or {})), *clusters], **fields), flags=flags)
        cls.addClassCleanup(cls.proxy.stop)

    def ask(self, target, headers=(), method="GET", name="main", **fields):
        return fetch(self.proxy.address(name), target, method, headers, **fields)

    @staticmethod
    def sent(answer, name):
        """The values of a header in the request as the upstream got it."""
        return [value for key, value in answer.json()["headers"] if key == name]
