"""weftctl and the HTTP API as an operator meets them: the built programs, their output, their exit codes."""
import json
import os
import pty
import subprocess
import unittest

from meshtest.ads import CLUSTER, ENDPOINTS, LISTENER, ROUTES
from meshtest.data_plane import ROOT, our_program, weft_only
from meshtest.mesh import Mesh
from meshtest.protos import our_protos
from meshtest.raw_http import fetch
from meshtest.wait import holds_for, wait_for
from meshtest.xds_client import XdsClient

PROTOS = our_protos()
OK, FAILED, USAGE, NOT_REACHABLE, TIMED_OUT, BAD_INPUT, FINDINGS = 0, 1, 2, 3, 4, 65, 79
ESCAPE = "\x1b["
CLUSTER_NAME = "outbound|8080||shop.default.svc.cluster.local"


def service(name, port=8080):
    return f"""apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector: {{app: {name}}}
  ports:
  - name: http
    port: {port}
"""


def endpoints(name, address):
    return f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-a
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports:
- {{name: http, port: 8080}}
endpoints:
- addresses: ["{address}"]
"""


def virtual_service(name, host, subset=None):
    return f"""apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {name}
spec:
  hosts: [{host}]
  http:
  - route:
    - destination:
        host: {host}
""" + (f"        subset: {subset}\n" if subset else "")


class Operator(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.mesh.start()
        self.url = "http://%s:%d" % self.mesh.control.http

    def ctl(self, *words, text=None, code=OK, env=None, server=True):
        """(stdout, stderr) of a weftctl that must end with this code."""
        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "WEFT_SERVER")}
        if server:
            environment["WEFT_SERVER"] = self.url
        environment.update(env or {})
        done = subprocess.run([our_program("weftctl"), *words], input=(text or "").encode(), capture_output=True, timeout=60, env=environment, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(code, done.returncode, f"weftctl {' '.join(words)}\n{out}\n{err}")
        return out, err

    def file(self, name, text):
        path = os.path.join(self.mesh.folder, "input", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def json(self, *words, code=OK):
        return json.loads(self.ctl(*words, "-o", "json", code=code)[0])

    def api(self, method, path, body=None, content_type="application/yaml"):
        headers = [("Content-Type", content_type)] if body is not None else []
        return fetch(self.mesh.control.http, path, method=method, headers=headers, body=None if body is None else body.encode(), host="localhost")

    def proxy(self, name, **options):
        client = XdsClient(PROTOS, self.mesh.control.xds, name, **options)
        self.addCleanup(client.close)
        wait_for(lambda: client.responses > 0, f"the first response of {name}")
        return client

    # -- changing

    def test_apply_says_what_changed(self):
        path = self.file("shop.yaml", service("shop"))
        out, err = self.ctl("apply", "-f", path)
        self.assertEqual("service/shop created\n", out)
        self.assertIn("revision 1", err)
        self.assertEqual("service/shop unchanged\n", self.ctl("apply", "-f", "-", text=service("shop"))[0])
        self.assertEqual("service/shop changed\n", self.ctl("apply", "-f", "-", text=service("shop", 81))[0])
        self.assertEqual(("service/shop\n", ""), self.ctl("apply", "-q", "-o", "name", "-f", path))
        self.assertEqual(3, self.json("apply", "-f", path)["revision"])
        self.assertIn("revision: 3", self.ctl("apply", "-f", path, "-o", "yaml")[0])

    def test_apply_refused_shows_line_and_caret_and_changes_nothing(self):
        self.file("many/a.yaml", service("good"))
        self.file("many/b.yaml", virtual_service("typo", "good").replace("destination", "destinatoin"))
        out, err = self.ctl("apply", "-f", os.path.join(self.mesh.folder, "input", "many"), code=BAD_INPUT)
        self.assertEqual("", out)
        self.assertIn("error[WEFT", err)
        self.assertIn("b.yaml:9:7\n", err)
        lines = err.splitlines()
        caret = next(number for number, line in enumerate(lines) if line.rstrip().endswith("^"))
        self.assertEqual(lines[caret].index("^"), lines[caret - 1].index("destinatoin"))
        self.assertIn('destination', err.split("fix:")[1].splitlines()[0])
        self.assertEqual({"items": []}, {"items": self.json("get", "all", "-A")["items"]})
        self.assertEqual([], self.json("history")["revisions"])

    def test_every_fault_is_told_at_once(self):
        text = "\n---\n".join([
            virtual_service("a", "x").replace("  http:", "  tcpp: []\n  http:"),
            "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p}\nspec: {}\n",
            "apiVersion: networking.istio.io/v1\nkind: VirtualSerivce\nmetadata: {name: q}\n"])
        answer = self.json("apply", "-f", self.file("bad.yaml", text), code=BAD_INPUT)
        self.assertEqual(3, len(answer["errors"]), answer)
        self.assertEqual("invalid", answer["error"]["code"])
        self.assertIn("PeerAuthentication", answer["errors"][1]["message"])
        self.assertIn("VirtualService", json.dumps(answer["errors"][2]))
        self.assertTrue(all(error["line"] and error["column"] and error["file"].endswith("bad.yaml") for error in answer["errors"]))

    def test_dry_run_changes_nothing(self):
        path = self.file("shop.yaml", service("shop"))
        self.assertEqual("service/shop created (dry run)\n", self.ctl("apply", "-f", path, "--dry-run")[0])
        self.assertEqual("", self.ctl("get", "svc")[0])
        self.assertEqual([], self.json("history")["revisions"])
        self.ctl("apply", "-f", path, "--dry-run", "--wait", code=USAGE)

    def test_dangling_references_warn_with_istios_code(self):
        out, err = self.ctl("apply", "-f", os.path.join(ROOT, "config", "customer", "canary.yaml"))
        self.assertEqual("virtualservice/canary-deployment created\n", out)
        self.assertIn("# IST0101", err)
        self.assertNotIn("error", err)

    def test_get_delete_and_history(self):
        self.ctl("apply", "-f", "-", text="---\n".join([service("shop"), virtual_service("v", "shop"), service("other").replace("name: other", "name: other\n  namespace: far", 1)]))
        out, _ = self.ctl("get", "svc", "-A")
        self.assertEqual(["NAMESPACE", "NAME", "WHAT", "REVISION"], out.splitlines()[0].split())
        self.assertEqual({"default", "far"}, {line.split()[0] for line in out.splitlines()[1:]})
        self.assertIn("OWNER", self.ctl("get", "virtualservices.networking.istio.io", "-o", "wide")[0])
        self.assertEqual("service/shop\nvirtualservice/v\n", "\n".join(sorted(self.ctl("get", "all", "-o", "name")[0].split())) + "\n")
        text, _ = self.ctl("get", "vs", "v", "-o", "yaml")
        self.assertEqual("virtualservice/v unchanged\n", self.ctl("apply", "-f", "-", text=text)[0])
        self.assertEqual("v", self.json("get", "vs/v")["metadata"]["name"])
        self.assertIn("does not exist", self.ctl("get", "vs", "nobody", code=FAILED)[1])
        self.assertIn("did you mean", self.ctl("get", "virtualserivce", code=USAGE)[1])
        self.assertIn("does not exist", self.ctl("delete", "vs", "nobody", code=FAILED)[1])
        self.assertEqual("virtualservice/v removed\n", self.ctl("delete", "vs", "v")[0])
        self.ctl("delete", "-f", "-", text=service("shop") + "---\n" + service("never"), code=FAILED)
        self.assertEqual("service/shop\n", self.ctl("get", "svc", "-o", "name")[0], "all or none")
        self.ctl("delete", "-f", "-", text=service("shop"))
        history = self.json("history")["revisions"]
        self.assertEqual([3, 2, 1], [revision["revision"] for revision in history])
        self.assertIn("weftctl", history[0]["cause"])

    def test_objects_of_the_directory_belong_to_it(self):
        self.mesh.control.write("shop.yaml", service("shop"))
        wait_for(lambda: self.ctl("get", "svc", "-o", "name")[0] == "service/shop\n", "the file's object")
        self.assertIn("shop.yaml", self.ctl("apply", "-f", "-", text=service("shop", 81), code=FAILED)[1])
        self.assertIn("shop.yaml", self.ctl("delete", "svc", "shop", code=FAILED)[1])
        self.mesh.control.write("shop.yaml", service("shop").replace("port:", "prot:"))
        wait_for(lambda: "WEFT" in self.ctl("status")[1], "the finding in status")
        self.assertEqual("service/shop\n", self.ctl("get", "svc", "-o", "name")[0], "the last good one stands")
        self.mesh.control.remove("shop.yaml")
        wait_for(lambda: self.ctl("get", "svc", "-o", "name")[0] == "", "the removal")

    def test_validate(self):
        good = self.file("good.yaml", service("shop") + "---\n" + virtual_service("v", "shop"))
        dangling = self.file("dangling.yaml", virtual_service("v", "shop", "v9"))
        bad = self.file("bad.yaml", virtual_service("v", "shop").replace("http:", "htpp:"))
        nowhere = {"WEFT_SERVER": "http://127.0.0.1:1"}
        for words, env in ((("--offline",), nowhere), ((), {})):
            self.ctl("validate", *words, "-f", good, env=env)
            self.assertIn("# IST0101", self.ctl("validate", *words, "-f", dangling, env=env)[0])
            self.ctl("validate", *words, "-f", dangling, "--fail-on", "warning", code=FINDINGS, env=env)
            self.assertIn("bad.yaml:7:3", self.ctl("validate", *words, "-f", bad, code=BAD_INPUT, env=env)[0])
            report = json.loads(self.ctl("validate", *words, "-f", bad, "-o", "json", code=BAD_INPUT, env=env)[0])
            self.assertEqual((False, 7), (report["valid"], report["findings"][0]["line"]))
        self.ctl("validate", "-f", good, code=NOT_REACHABLE, env=nowhere)
        self.assertEqual([], self.json("history")["revisions"])

    # -- proxies

    def test_wait_names_the_laggard_and_its_nack(self):
        self.ctl("apply", "-f", "-", text=service("shop") + "---\n" + endpoints("shop", "10.0.0.1"))
        good, bad = self.proxy("good"), self.proxy("bad")
        other = service("other").replace("name: other", "name: other\n  namespace: default", 1)
        self.assertIn("accepted by 2 affected proxies", self.ctl("apply", "--wait", "-f", "-", text=other)[1])
        bad.refuses[CLUSTER_NAME] = f"{CLUSTER_NAME}: this port is not to my taste"
        _, err = self.ctl("apply", "--wait", "--timeout", "20s", "-f", "-", text=service("shop") + "    appProtocol: http2\n", code=FAILED)
        self.assertIn(bad.node, err)
        self.assertIn("not to my taste", err)
        wait_for(lambda: {proxy["name"]: proxy["state"] for proxy in self.json("status")["proxies"]} == {"good": "SYNCED", "bad": "NACK"}, "the states")
        out, _ = self.ctl("status")
        self.assertIn("not to my taste", out)
        # A later change that it takes is not spoilt by the old refusal.
        self.assertIn("accepted by 2", self.ctl("apply", "--wait", "-f", "-", text=service("third"))[1])
        good.close()
        bad.mute = True
        _, err = self.ctl("apply", "--wait", "--timeout", "300ms", "-f", "-", text=service("fourth"), code=TIMED_OUT)
        self.assertIn(bad.node, err)

    def test_wait_is_for_the_affected_only(self):
        self.ctl("apply", "-f", "-", text=service("shop") + "---\n" + endpoints("shop", "10.0.0.1"))
        mute = self.proxy("mute")
        self.proxy("good").subscribe(ENDPOINTS, CLUSTER_NAME)
        self.ctl("apply", "--wait", "-f", "-", text=service("second"))
        mute.mute = True
        _, err = self.ctl("apply", "--wait", "-f", "-", text=endpoints("shop", "10.0.0.2"))
        self.assertIn("accepted by 1 affected proxy ", err)
        answer = self.api("GET", "/v1/wait?timeout=5s").json()
        self.assertEqual((True, 2, 1), (answer["acked"], answer["proxies"], answer["affected"]))

    @weft_only("it asks for the program's own name")
    def test_a_real_proxy(self):
        self.mesh.service("app", "v1")
        client = self.mesh.client()
        self.mesh.wait_for_answer(client, "app", "app-v1")
        _, err = self.ctl("apply", "--wait", "-f", "-", text=virtual_service("v", "app"))
        self.assertIn("accepted by 1 affected proxy", err)
        self.assertRegex(self.ctl("status")[0], r"client\.default +sidecar .*SYNCED")
        self.assertIn("CDS", self.ctl("status", "-o", "wide")[0])
        for kind, wanted in (("clusters", "app.default.svc.cluster.local"), ("listeners", "8080"), ("routes", "app"), ("endpoints", "app")):
            for name in ("client", "client.default", "http://%s:%d" % client.admin_address):
                self.assertIn(wanted, self.ctl("proxy", "config", kind, name)[0], f"{kind} of {name}")
            self.assertTrue(self.json("proxy", "config", kind, "client"))
            self.assertIn("name: ", self.ctl("proxy", "config", kind, "client", "-o", "yaml")[0])
        self.ctl("proxy", "config", "clusters", "nobody", code=FAILED)
        out, _ = self.ctl("version")
        self.assertRegex(out, r"client +weftctl [0-9.]+\nserver +weft-control [0-9.]+ at .*\nproxies +1 x weft-proxy")
        self.assertEqual({"client", "server", "proxies"}, set(self.json("version")))

    def test_a_restart_resends_nothing(self):
        self.ctl("apply", "-f", "-", text=service("shop") + "---\n" + endpoints("shop", "10.0.0.1") + "---\n" + virtual_service("v", "shop"))
        first = self.proxy("one", kinds=(CLUSTER, LISTENER))
        first.subscribe(ENDPOINTS, CLUSTER_NAME)
        wait_for(lambda: CLUSTER_NAME in first.held[ENDPOINTS], "endpoints")
        first.subscribe(ROUTES, "8080")
        wait_for(lambda: first.held[ROUTES], "routes")
        revision = self.json("status")["revision"]
        first.close()
        self.mesh.control.restart()
        self.assertEqual(revision, self.json("status")["revision"])
        again = XdsClient(PROTOS, self.mesh.control.xds, "one", kinds=(CLUSTER, ENDPOINTS, LISTENER, ROUTES), held=first.held)
        self.addCleanup(again.close)
        wait_for(lambda: [proxy for proxy in self.json("status")["proxies"] if proxy["state"] == "SYNCED"], "the proxy in sync")
        holds_for(lambda: again.sent == [], "nothing sent again")
        self.ctl("apply", "--wait", "-f", "-", text=service("more"))
        self.assertEqual(["outbound|8080||more.default.svc.cluster.local"], again.sent)

    def test_a_client_that_takes_routes_alone_or_never_answers(self):
        self.ctl("apply", "-f", "-", text=service("shop") + "---\n" + endpoints("shop", "10.0.0.1"))
        alone = self.proxy("alone", kinds=(LISTENER,))
        alone.subscribe(ROUTES, "8080")
        wait_for(lambda: "8080" in alone.sent, "routes of one who takes no clusters")
        mute = XdsClient(PROTOS, self.mesh.control.xds, "mute", kinds=(CLUSTER, LISTENER))
        self.addCleanup(mute.close)
        mute.mute = True
        mute.subscribe(ENDPOINTS, CLUSTER_NAME)
        mute.subscribe(ROUTES, "8080")
        wait_for(lambda: "8080" in mute.sent, "routes of one who never answers")
        self.ctl("apply", "-f", "-", text=virtual_service("v", "shop") + "---\n" + service("late"))
        wait_for(lambda: mute.sent.count("8080") >= 2 and alone.sent.count("8080") >= 2, "changed routes for both")

    # -- manners

    def test_exit_codes(self):
        self.assertIn("127.0.0.1:1", self.ctl("status", "--server", "http://127.0.0.1:1", code=NOT_REACHABLE)[1])
        self.assertIn("did you mean apply?", self.ctl("aply", code=USAGE)[1])
        self.ctl(code=USAGE)
        self.ctl("apply", code=USAGE)
        self.ctl("apply", "-f", "x", "-o", "xml", code=USAGE)
        self.ctl("apply", "-f", "/no/such/file.yaml", code=BAD_INPUT)
        self.ctl("--help")
        self.ctl("--version")
        self.ctl("version", env={"WEFT_SERVER": "http://127.0.0.1:1"}, code=NOT_REACHABLE)

    def test_formats_are_data(self):
        self.ctl("apply", "-f", "-", text=service("shop"))
        for words in (("get", "svc"), ("status",), ("history",), ("version",)):
            json.loads(self.ctl(*words, "-o", "json")[0])
            self.assertRegex(self.ctl(*words, "-o", "yaml")[0], r"(?m)^\w+:")
        for words in (("get", "svc"), ("status",), ("history",)):
            self.ctl(*words, "-o", "wide")

    def test_colour_only_where_it_is_wanted(self):
        bad = self.file("bad.yaml", virtual_service("v", "shop").replace("http:", "htpp:"))

        def err(*words, **env):
            return self.ctl("apply", "-f", bad, *words, code=BAD_INPUT, env=env)[1]
        self.assertNotIn(ESCAPE, err())
        self.assertIn(ESCAPE, err("--color=always"))
        self.assertIn(ESCAPE, err(FORCE_COLOR="1"))
        self.assertNotIn(ESCAPE, err("--color=never", FORCE_COLOR="1"))
        self.assertIn(ESCAPE, self.on_a_terminal("apply", "-f", bad))
        self.assertNotIn(ESCAPE, self.on_a_terminal("apply", "-f", bad, NO_COLOR="1"))
        self.assertNotIn(ESCAPE, self.on_a_terminal("apply", "-f", bad, TERM="dumb"))

    def on_a_terminal(self, *words, **env):
        """What a weftctl with a terminal writes."""
        ours, theirs = pty.openpty()
        environment = {"PATH": os.environ.get("PATH", ""), "WEFT_SERVER": self.url, "TERM": "xterm", **env}
        process = subprocess.Popen([our_program("weftctl"), *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        text = b""
        try:
            while block := os.read(ours, 65536):
                text += block
        except OSError:     # the other end is closed
            pass
        os.close(ours)
        process.wait(20)
        return text.decode()

    def test_a_closed_pipe_is_no_crash(self):
        self.ctl("apply", "-f", "-", text="---\n".join(service(f"shop-{number}") for number in range(300)))
        process = subprocess.Popen([our_program("weftctl"), "--server", self.url, "get", "svc", "-o", "yaml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        self.assertEqual(b"", process.stderr.read())
        process.stderr.close()
        self.assertGreaterEqual(process.wait(20), -13)

    # -- the API without weftctl

    def test_the_api(self):
        self.assertEqual(200, self.api("GET", "/ready").status)
        answer = self.api("POST", "/v1/apply?name=a.yaml", service("shop"))
        self.assertEqual((200, 1, "created"), (answer.status, answer.json()["revision"], answer.json()["changed"][0]["change"]))
        answer = self.api("POST", "/v1/apply?name=a.yaml", service("shop").replace("port:", "prot:"))
        self.assertEqual((422, "a.yaml"), (answer.status, answer.json()["errors"][0]["file"]))
        self.assertIn("error[WEFT", answer.json()["errors"][0]["rendered"])
        answer = self.api("POST", "/v1/validate", json.dumps({"files": [{"name": "x", "text": virtual_service("v", "nobody")}]}), "application/json")
        self.assertEqual((200, True, "IST0101"), (answer.status, answer.json()["valid"], answer.json()["warnings"][0]["alias"]))
        self.assertEqual(200, self.api("GET", "/v1/resources/Service/default/shop").status)
        self.assertEqual(404, self.api("GET", "/v1/resources/Service/default/none").status)
        self.assertEqual(200, self.api("DELETE", "/v1/resources/Service/default/shop").status)
        self.assertEqual(404, self.api("DELETE", "/v1/resources/Service/default/shop").status)
        self.assertEqual(404, self.api("GET", "/v1/nonsense").status)
        self.assertEqual(405, self.api("POST", "/v1/status", "").status)
        self.assertEqual(415, self.api("POST", "/v1/apply", "a=b", "application/x-www-form-urlencoded").status)
        self.assertEqual(403, fetch(self.mesh.control.http, "/v1/status", host="evil.test").status)
        self.assertEqual(413, self.api("POST", "/v1/apply", "#" * (5 << 20)).status)
        self.assertEqual(200, self.api("GET", "/version").status)
        metrics = self.api("GET", "/metrics").text
        for name in ("pilot_xds{", "pilot_services", "pilot_virt_services", "pilot_info{", "istiod_uptime_seconds", "process_resident_memory_bytes",
                     "pilot_total_xds_internal_errors", "pilot_xds_expired_nonce"):
            self.assertRegex(metrics, "(?m)^" + name.replace("{", r"\{"))


if __name__ == "__main__":
    unittest.main()
