"""layered_runtime: static layers, folders that are swapped by a link, what /runtime_modify sets, and RTDS; what names a key follows it."""
import json
import os
import shutil
import tempfile
import unittest

from meshtest import ads
from meshtest.bootstrap import ads_bootstrap, bootstrap, hcm, listener, routes
from meshtest.data_plane import DataPlane, validate, weft_only
from meshtest.protos import our_protos
from meshtest.raw_http import fetch
from meshtest.wait import wait_for

RUNTIME = ads.RUNTIME


def keyed(*keys):
    """/KEY answers 200 for the share that the runtime gives KEY, which is none unless it says."""
    return routes(*({"match": {"prefix": f"/{key}/", "runtime_fraction": {"runtime_key": key, "default_value": {"numerator": 0}}},
                     "direct_response": {"status": 200}} for key in keys))


class Layers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weft-runtime-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.write("one", "mesh/disk", "# all of them\n100\n")
        self.write("one", "mesh/deep/share", "numerator: 1000000\ndenominator: MILLION\n")
        self.write("one", "over/test/both", "100")
        self.link("one")

    def write(self, generation, path, text):
        full = os.path.join(self.folder, generation, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def link(self, generation):
        fresh = os.path.join(self.folder, "fresh")
        os.symlink(os.path.join(self.folder, generation), fresh)
        os.rename(fresh, os.path.join(self.folder, "now"))

    def start(self, **fields):
        root = os.path.join(self.folder, "now")
        layers = [{"name": "base", "static_layer": {"fixed": {"numerator": 100}, "both": 0, "text": "100", "not": "true"}},
                  {"name": "disk", "disk_layer": {"symlink_root": root, "subdirectory": "mesh"}},
                  {"name": "over", "disk_layer": {"symlink_root": root, "subdirectory": "over", "append_service_cluster": True}},
                  {"name": "nothing", "disk_layer": {"symlink_root": os.path.join(self.folder, "none")}},
                  {"name": "admin", "admin_layer": {}}]
        table = keyed("fixed", "both", "text", "not", "disk", "deep.share", "later")
        proxy = DataPlane(bootstrap([listener(hcm(table))], layered_runtime={"layers": layers}, **fields))
        self.addCleanup(proxy.stop)
        self.proxy = proxy

    def serves(self, key):
        return fetch(self.proxy.address(), f"/{key}/").status == 200

    def entries(self):
        return json.loads(self.proxy.admin("/runtime").body)

    def test_precedence_and_the_page(self):
        self.start()
        self.assertEqual({"fixed": True, "both": True, "text": True, "not": False, "disk": True, "deep.share": True, "later": False},
                         {key: self.serves(key) for key in ("fixed", "both", "text", "not", "disk", "deep.share", "later")})
        page = self.entries()
        self.assertEqual(["base", "disk", "over", "admin"], page["layers"])
        self.assertEqual({"layer_values": ["0", "", "100", ""], "final_value": "100"}, page["entries"]["both"])
        self.assertEqual(4, self.proxy.stat("runtime.num_layers"))
        self.assertEqual(0, self.proxy.stat("runtime.load_error"))
        self.assertGreaterEqual(self.proxy.stat("runtime.load_success"), 1)
        self.assertGreaterEqual(self.proxy.stat("runtime.override_dir_exists"), 1)

    def test_a_moved_link_is_read_again(self):
        self.start()
        self.assertFalse(self.serves("later"))
        self.write("two", "mesh/later", "100")
        self.link("two")
        wait_for(lambda: self.serves("later"), "the new folder")
        self.assertFalse(self.serves("disk"))
        self.assertFalse(self.serves("both"))

    def test_runtime_modify(self):
        self.start()
        usage = self.proxy.admin("/runtime_modify", "POST")
        self.assertEqual(400, usage.status)
        self.assertIn("usage: /runtime_modify?key1=value1", usage.text)
        self.assertEqual(405, self.proxy.admin("/runtime_modify?later=100").status)
        self.assertEqual(b"OK\n", self.proxy.admin("/runtime_modify?later=100&disk=0", "POST").body)
        self.assertTrue(self.serves("later"))
        self.assertFalse(self.serves("disk"))
        self.assertEqual(1, self.proxy.stat("runtime.admin_overrides_active"))
        self.proxy.admin("/runtime_modify?later=&disk=", "POST")
        self.assertFalse(self.serves("later"))
        self.assertTrue(self.serves("disk"))
        self.assertEqual(0, self.proxy.stat("runtime.admin_overrides_active"))

    @weft_only("Envoy takes it; the key would do nothing")
    def test_bad_layers_are_refused(self):
        code, output = validate({**bootstrap(), "layered_runtime": {"layers": [{"name": "a", "admin_layer": {}},
                                                                               {"name": "a", "admin_layer": {}}]}})
        self.assertNotEqual(0, code)
        self.assertIn('duplicate layer name "a"', output)
        self.assertIn("at most one may be", output)


class OverAds(unittest.TestCase):
    delta = False

    def test_rtds(self):
        plane = ads.ControlPlane(our_protos())
        self.addCleanup(plane.stop)
        plane.set(ads.LISTENER, listener(hcm({**keyed("later")})))
        plane.set(RUNTIME, {"name": "mine", "layer": {"later": 0}})
        source = {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "5s"}
        layers = [{"name": "live", "rtds_layer": {"name": "mine", "rtds_config": source}}]
        proxy = DataPlane(ads_bootstrap(plane.address, delta=self.delta, layered_runtime={"layers": layers}))
        self.addCleanup(proxy.stop)

        def serves():
            return fetch(proxy.address(), "/later/").status == 200
        self.assertFalse(serves())
        plane.set(RUNTIME, {"name": "mine", "layer": {"later": {"numerator": 100}}})
        wait_for(serves, "the new share")
        plane.wait_acked(RUNTIME)
        self.assertEqual([], plane.nacks(RUNTIME))
        self.assertGreaterEqual(proxy.stat("runtime.update_success"), 2)
        self.assertEqual(["live"], json.loads(proxy.admin("/runtime").body)["layers"])


class OverDelta(OverAds):
    delta = True


if __name__ == "__main__":
    unittest.main()
