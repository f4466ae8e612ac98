"""weftctl before and after a change: diff, history, rollback, route test, analyze, with programs and proxies that run."""
import json
import os
import subprocess
import unittest

from meshtest.data_plane import our_program
from meshtest.mesh import Mesh
from meshtest.wait import wait_for

OK, DIFFERENT, BAD_INPUT, FINDINGS = 0, 1, 65, 79


def says(name, text, match=None):
    rule = {"name": name, "directResponse": {"status": 200, "body": {"string": text}}}
    return {**rule, "match": [match]} if match else rule


def virtual_service(http, name="shop"):
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name}, "spec": {"hosts": ["shop"], "http": http}}


class Changes(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.mesh.start()
        self.mesh.service("shop", "v1")
        self.client = self.mesh.client()
        self.mesh.wait_for_answer(self.client, "shop", "shop-v1")

    def ctl(self, *words, text=None, code=OK):
        environment = {**os.environ, "WEFT_SERVER": "http://%s:%d" % self.mesh.control.http, "USER": "ada"}
        done = subprocess.run([our_program("weftctl"), *words], input=(text or "").encode(), capture_output=True, timeout=60, env=environment, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(code, done.returncode, f"weftctl {' '.join(words)}\n{out}\n{err}")
        return out, err

    def json(self, *words, text=None, code=OK):
        return json.loads(self.ctl(*words, "-o", "json", text=text, code=code)[0])

    def apply(self, rule):
        self.ctl("apply", "-f", "-", "--wait", text=json.dumps(rule))

    def body(self, path="/", headers=()):
        return self.mesh.call(self.client, "shop", path, headers).text

    def test_diff_apply_history_rollback(self):
        self.apply(virtual_service([says("one", "one")]))
        wait_for(lambda: self.body() == "one", "the first rule")
        before = self.json("history", "--limit", "1")["revisions"][0]["revision"]
        second = json.dumps(virtual_service([says("two", "two")]))
        out, _ = self.ctl("diff", "-f", "-", text=second, code=DIFFERENT)
        self.assertIn("changed VirtualService default/shop\n", out)
        self.assertIn("1 of 1 proxy is sent something", out)
        self.assertIn("client.default\n    routes  ~8080\n", out)
        whole = self.json("diff", "-f", "-", text=second, code=DIFFERENT)
        self.assertEqual(["8080"], whole["proxies"][0]["changes"]["routes"]["changed"])
        self.assertTrue(any('"name": "two"' in resource["diff"] for resource in whole["resources"]))
        self.assertEqual("one", self.body())
        self.ctl("apply", "-f", "-", "--wait", text=second)
        wait_for(lambda: self.body() == "two", "the second rule")
        self.ctl("diff", "-f", "-", text=second, code=OK)

        newest = self.json("history", "--limit", "1")["revisions"][0]
        self.assertTrue(newest["author"].startswith("ada@"), newest)
        self.assertIn("VirtualService", json.dumps(newest["changes"]))
        out, _ = self.ctl("rollback", str(before), "--dry-run")
        self.assertIn("changed VirtualService default/shop", out)
        self.assertEqual("two", self.body())
        out, err = self.ctl("rollback", str(before), "--wait")
        self.assertEqual("virtualservice/shop changed\n", out)
        wait_for(lambda: self.body() == "one", "the first rule again")
        self.mesh.control.restart()
        self.assertIn(f"rollback to revision {before}", self.json("history", "--limit", "1")["revisions"][0]["cause"])

    def test_rollback_past_a_file_changes_nothing(self):
        self.apply(virtual_service([says("one", "one")]))
        revision = self.json("history", "--limit", "1")["revisions"][0]["revision"]
        self.mesh.service("other", "v1")
        wait_for(lambda: self.json("history", "--limit", "1")["revisions"][0]["revision"] > revision, "the file")
        self.apply(virtual_service([says("two", "two")]))
        _, err = self.ctl("rollback", str(revision), code=1)
        self.assertIn("comes from the file", err)
        wait_for(lambda: self.body() == "two", "the second rule")

    def test_route_test_agrees_with_the_proxy(self):
        self.mesh.control.write("routes.yaml", virtual_service([
            says("user", "user", {"headers": {"x-user": {"regex": "j.+"}}}),
            says("exact", "exact", {"uri": {"exact": "/a"}}),
            says("query", "query", {"queryParams": {"v": {"exact": "2"}}}),
            says("anonymous", "anonymous", {"uri": {"prefix": "/who"}, "withoutHeaders": {"x-user": {}}}),
            says("case", "case", {"uri": {"prefix": "/CaSe"}, "ignoreUriCase": True}),
            says("method", "method", {"method": {"exact": "PUT"}}),
            says("rest", "rest")]))
        wait_for(lambda: self.body() == "rest", "the rules")
        for path, headers in (("/", ()), ("/a", ()), ("/a?b", ()), ("/a/", ()), ("/?v=2", ()), ("/?v=23", ()), ("/who", ()), ("/who", (("x-user", "J"),)),
                              ("/who", (("x-user", "jo"),)), ("/who", (("x-user", "j"),)), ("/case", ()), ("/cas", ())):
            with self.subTest(path=path, headers=headers):
                words = [word for name, value in headers for word in ("-H", f"{name}: {value}")]
                tried = self.json("route", "test", "GET", f"http://shop:8080{path}", "--from", "client.default", *words)
                taken = [route for route in tried["routes"] if route["matches"]]
                self.assertEqual([self.body(path, headers)], [route["name"] for route in taken])
                self.assertEqual("routes.yaml", os.path.basename(taken[0]["rule"]["file"]))
        out, _ = self.ctl("route", "test", "GET", "http://shop:8080/a/", "--from", "client")
        self.assertIn("- exact  ", out)
        self.assertIn("    no   path is /a; it is /a/\n", out)
        self.assertIn("+ rest  ", out)
        self.assertIn("  answer 200 rest\n", out)
        self.ctl("route", "test", "GET", "http://shop:8080/", "--from", "nobody", code=1)

    def test_analyze(self):
        self.ctl("analyze", "--fail-on", "warning")
        self.apply(virtual_service([{"route": [{"destination": {"host": "shop", "subset": "v9"}}]}]))
        out, _ = self.ctl("analyze", "--fail-on", "warning", code=FINDINGS)
        self.assertIn("(# IST0101)", out)
        out, _ = self.ctl("analyze", "--offline", "-f", "-", text="kind: Nothing\napiVersion: v1\nmetadata: {name: a}\n", code=BAD_INPUT)
        self.assertIn("error[", out)


if __name__ == "__main__":
    unittest.main()
