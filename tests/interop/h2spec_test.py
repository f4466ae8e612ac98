"""h2spec, strict, against an HTTP/2 listener of weft-proxy with prior knowledge: each of its cases passes. The program is a Go module (tools/peers-go.txt); where it is not, the test is skipped and says so."""
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

from meshtest.bootstrap import bootstrap, cluster, hcm, listener, route, routes  # pylint: disable=wrong-import-position
from meshtest.data_plane import DataPlane  # pylint: disable=wrong-import-position
from meshtest.process import run  # pylint: disable=wrong-import-position
from meshtest.upstream import Upstream  # pylint: disable=wrong-import-position

H2SPEC = os.path.join(ROOT, ".peers", "bin", "h2spec")
CASES = 146


class H2Spec(unittest.TestCase):
    def test_strict(self):
        with Upstream() as upstream, DataPlane(bootstrap(
                [listener(hcm(routes(route("/", "up")), codec_type="HTTP2"))], [cluster("up", upstream.address)])) as proxy, \
                tempfile.TemporaryDirectory() as folder:
            host, port = proxy.address()
            report = os.path.join(folder, "report.xml")
            _, output = run([H2SPEC, "--strict", "-h", host, "-p", port, "-o", "2", "-j", report], deadline=280)
            proxy.program.require_alive()
            cases = list(xml.etree.ElementTree.parse(report).getroot().iter("testcase"))
        failed = {f"{case.get('package')}: {case.get('classname')}" for case in cases
                  if case.find("failure") is not None or case.find("error") is not None}
        self.assertEqual(CASES, len(cases), output[-2000:])
        self.assertEqual(set(), failed, output[-6000:])


if __name__ == "__main__":
    if not os.access(H2SPEC, os.X_OK):
        print(f"skipped: no {H2SPEC}; ./dev interop installs it where there is a Go")
        sys.exit(77)
    unittest.main()
