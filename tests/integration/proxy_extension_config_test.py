"""config_discovery: a filter's configuration comes by ECDS, for static and dynamic listeners; warming, defaults, updates under load, NACKs."""
import os
import tempfile
import unittest

from meshtest import ads
from meshtest.bootstrap import ads_bootstrap, bootstrap, cluster, hcm, listener, route, routes
from meshtest.data_plane import DataPlane, data_plane_kind, validate, weft_only
from meshtest.filters import HTTP
from meshtest.process import Background
from meshtest.protos import our_protos
from meshtest.raw_http import Connection, fetch
from meshtest.upstream import Upstream
from meshtest.wait import holds_for, wait_for

FAULT = f"{HTTP}.fault.v3.HTTPFault"
STATS = "extension_config_discovery.http_filter.chaos."


def aborting(status, percent=100):
    return {"@type": FAULT, "abort": {"http_status": status, "percentage": {"numerator": percent}}}


def extension(status, percent=100, name="chaos"):
    return {"name": name, "typed_config": aborting(status, percent)}


def discovered(name="chaos", timeout="5s", source=None, **fields):
    return {"name": name, "config_discovery": {
        "config_source": {"resource_api_version": "V3", "initial_fetch_timeout": timeout, **(source or {"ads": {}})},
        "type_urls": [FAULT], **fields}}


class OverAds(unittest.TestCase):
    delta = False

    def setUp(self):
        self.upstream = Upstream()
        self.plane = ads.ControlPlane(our_protos())
        self.addCleanup(self.upstream.close)
        self.addCleanup(self.plane.stop)
        self.plane.set(ads.CLUSTER, cluster("up", self.upstream.address))

    def start(self, **options):
        proxy = DataPlane(ads_bootstrap(self.plane.address, delta=self.delta), **options)
        self.addCleanup(proxy.stop)
        self.proxy = proxy

    def listen(self, *filters, name="main"):
        return listener(hcm(routes(route("/", "up")), filters), name=name)

    def status(self, listener_name="main"):
        return fetch(self.proxy.address(listener_name)).status

    def test_the_listener_waits_for_it(self):
        self.plane.set(ads.LISTENER, self.listen(discovered()))
        self.start(wait_ready=False)
        wait_for(lambda: self.plane.requests(ads.EXTENSION), "a request for the extension")
        holds_for(lambda: self.proxy.admin("/ready").status == 503, "not ready without the filter's configuration")
        self.plane.set(ads.EXTENSION, extension(418))
        self.proxy.wait_ready()
        self.assertEqual(418, self.status())
        self.plane.wait_acked(ads.EXTENSION)
        dumped = self.proxy.admin("/config_dump?resource=ecds_filters").json()["configs"]
        self.assertEqual([("chaos", 418)], [(one["ecds_filter"]["name"], one["ecds_filter"]["typed_config"]["abort"]["http_status"])
                                            for one in dumped])
        self.assertGreaterEqual(self.proxy.stat(STATS + "config_reload"), 1)
        self.assertGreaterEqual(self.proxy.stat(STATS + "update_success"), 1)

    def test_updates_drop_nothing(self):
        self.plane.set(ads.EXTENSION, extension(418, 0))
        self.plane.set(ads.LISTENER, self.listen(discovered()))
        self.start()
        address = self.proxy.address()

        def one():
            statuses = []
            with Connection(address) as connection:
                for _ in range(20):
                    answer = connection.request("GET", "/load")
                    statuses.append(answer.status)
                    if answer.header("connection") == "close":
                        break
            return statuses
        with Background(one, threads=2) as load:
            for turn in range(1, 6):
                self.plane.set(ads.EXTENSION, {"name": "chaos", "typed_config": {**aborting(418, 0), "max_active_faults": turn}})
                self.plane.wait_acked(ads.EXTENSION)
            statuses = [status for statuses in load.stop() for status in statuses]
        self.assertEqual([], load.errors)
        self.assertEqual({200}, set(statuses))
        self.plane.set(ads.EXTENSION, extension(418))
        wait_for(lambda: self.status() == 418, "the last update")

    def test_what_is_refused_leaves_what_was_there(self):
        self.plane.set(ads.EXTENSION, extension(418))
        self.plane.set(ads.LISTENER, self.listen(discovered()))
        self.start()
        self.assertEqual(418, self.status())
        self.plane.set(ads.EXTENSION, extension(1000))
        nack = self.plane.wait_nack(ads.EXTENSION)
        if data_plane_kind() == "weft":
            self.assertIn("chaos: typed_config.(HTTPFault).abort.http_status: must be at most 599, found 1000", nack.error)
        self.assertEqual(418, self.status())
        self.assertGreaterEqual(self.proxy.stat(STATS + "update_rejected"), 1)
        self.plane.set(ads.EXTENSION, {"name": "chaos", "typed_config": {"@type": f"{HTTP}.cors.v3.Cors"}})
        nack = self.plane.wait_nack(ads.EXTENSION, 2)
        if data_plane_kind() == "weft":
            self.assertIn("has type envoy.extensions.filters.http.cors.v3.Cors, but listener \"main\" expects", nack.error)
        self.plane.set(ads.EXTENSION, extension(419))
        wait_for(lambda: self.status() == 419, "the next good one")

    def test_without_it_in_time(self):
        self.plane.silent_about.update(("chaos", "other"))
        self.plane.set(ads.LISTENER, self.listen(discovered(timeout="0.3s")),
                       self.listen(discovered(timeout="0.3s", default_config=aborting(417)), name="default"),
                       self.listen(discovered("other", timeout="0s", default_config=aborting(416),
                                              apply_default_config_without_warming=True), name="at-once"))
        self.start()
        self.assertEqual((500, 417, 416), (self.status(), self.status("default"), self.status("at-once")))
        self.assertGreaterEqual(self.proxy.stat(STATS + "init_fetch_timeout"), 1)
        self.assertGreaterEqual(self.proxy.stat(STATS + "config_fail"), 1)
        self.plane.silent_about.clear()
        self.plane.set(ads.EXTENSION, extension(418), extension(419, name="other"))
        wait_for(lambda: (self.status(), self.status("default"), self.status("at-once")) == (418, 418, 419), "what came late")


class OverDelta(OverAds):
    delta = True


class FromAFile(unittest.TestCase):
    def test_a_static_listener(self):
        with tempfile.TemporaryDirectory() as folder, Upstream() as upstream:
            path = os.path.join(folder, "filters.yaml")

            def write(status):
                with open(path + ".new", "w", encoding="utf-8") as file:
                    file.write("resources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: chaos\n"
                               f"  typed_config: {{\"@type\": {FAULT}, abort: {{http_status: {status}, percentage: {{numerator: 100}}}}}}\n")
                os.rename(path + ".new", path)
            write(418)
            source = {"path_config_source": {"path": path}}
            listeners = [listener(hcm(routes(route("/", "up")), [discovered(source=source)]))]
            with DataPlane(bootstrap(listeners, [cluster("up", upstream.address)])) as proxy:
                self.assertEqual(418, fetch(proxy.address()).status)
                write(419)
                wait_for(lambda: fetch(proxy.address()).status == 419, "the changed file")

    @weft_only("its messages")
    def test_bad_sources_are_refused(self):
        def output(*filters):
            return validate(bootstrap([listener(hcm(routes(), filters))]))[1]
        self.assertIn("is set, but default_config is not",
                      output(discovered(source={"path_config_source": {"path": "/dev/null"}}, apply_default_config_without_warming=True)))
        self.assertIn("which is none of type_urls",
                      output(discovered(source={"path_config_source": {"path": "/dev/null"}}, default_config={"@type": f"{HTTP}.cors.v3.Cors"})))


if __name__ == "__main__":
    unittest.main()
