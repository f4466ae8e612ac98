"""What weft-control's translation writes (tests/golden) is taken by the data plane whole: every resource, no NACK, every listener open."""
import glob
import json
import os
import re
import unittest

from meshtest import ads
from meshtest.bootstrap import ads_bootstrap
from meshtest.data_plane import DataPlane, ROOT
from meshtest.protos import our_protos
from meshtest.wait import wait_for

GOLDEN = os.path.join(ROOT, "tests", "golden")
FILES = {"clusters": ads.CLUSTER, "endpoints": ads.ENDPOINTS, "listeners": ads.LISTENER, "routes": ads.ROUTES}


def resources(node, part):
    """The golden resources of a proxy, its own address moved to loopback and low ports up, in the spelling of the proto files."""
    with open(os.path.join(GOLDEN, f"{node}.{part}.json"), encoding="utf-8") as file:
        text = file.read()
    if part == "listeners":
        text = re.sub(r'"address": "(?!127\.|0\.)\d+\.(\d+\.\d+\.\d+)"', r'"address": "127.\1"', text)
        text = re.sub(r'"portValue": (\d{1,3})\b(?!\d)', lambda match: f'"portValue": {int(match.group(1)) + 20000}', text)
    return json.loads(text)


class Golden(unittest.TestCase):
    def test_every_proxys_resources_are_accepted(self):
        nodes = sorted(os.path.basename(path)[:-len(".clusters.json")] for path in glob.glob(os.path.join(GOLDEN, "*.clusters.json")))
        self.assertTrue(nodes)
        for node in nodes:
            for delta in (False, True):
                with self.subTest(node=node, delta=delta):
                    self.accept(node, delta)

    def accept(self, node, delta):
        protos = our_protos()
        with ads.ControlPlane(protos) as plane:
            for part, kind in FILES.items():
                for resource in resources(node, part):
                    message = protos.make(kind, resource)
                    plane.set(kind, protos.to_dict(message))
            with DataPlane(ads_bootstrap(plane.address, delta=delta), wait_ready=False) as proxy:
                for kind in ads.ORDER:
                    wait_for(lambda: plane.requests(kind) or plane.nacks(), f"a request for {kind}")
                wait_for(lambda: plane.nacks() or proxy.admin("/ready").status == 200, "a ready data plane")
                self.assertEqual([], [asked.error for asked in plane.nacks()])
                for kind in ads.ORDER:
                    plane.wait_acked(kind)
                self.assertEqual([], [asked.error for asked in plane.nacks()])
                self.assertEqual({listener["name"] for listener in resources(node, "listeners")}, set(proxy.listeners()))


if __name__ == "__main__":
    unittest.main()
