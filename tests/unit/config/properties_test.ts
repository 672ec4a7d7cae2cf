import assert from "node:assert/strict";
import { loadConfig } from "../../../src/core/config/load.ts";
import { parseProperties, propertiesLayer } from "../../../src/core/config/properties.ts";
import { err, ok } from "../../../src/core/result.ts";

const DEFAULTS = Deno.readTextFileSync(new URL("../../../config/default.jsonc", import.meta.url));
const FILE = "flashphoner.properties";

function load(text: string, env: Record<string, string> = {}) {
  return loadConfig({
    commandLine: { request: "start", propertiesFile: FILE },
    env,
    defaults: DEFAULTS,
    readFile: (path) => path === FILE ? ok(text) : err("no such file or folder"),
  });
}

Deno.test("properties: the format of java.util.Properties", () => {
  const text = [
    "# comment",
    "  ! another",
    "a=1",
    "b : two words ",
    "c three",
    "d\\ e=x\\",
    "    y",
    "path=C\\:\\\\x",
    "u=\\u00e9\\t!",
    "empty=",
    "alone",
    "eq = = x",
  ].join("\r\n");
  assert.deepEqual(parseProperties(text).map(({ name, value, line }) => [name, value, line]), [
    ["a", "1", 3],
    ["b", "two words", 4],
    ["c", "three", 5],
    ["d e", "xy", 6],
    ["path", "C:\\x", 8],
    ["u", "\u00e9\t!", 9],
    ["empty", "", 10],
    ["alone", "", 11],
    ["eq", "= x", 12],
  ]);
});

Deno.test("properties: what has a meaning is taken, in our units; the rest is in one warning", () => {
  const result = load(`
ip =203.0.113.7
ip_local =0.0.0.0
enable_local_videochat=true
sip_add_contact_id=false
media_port_from =35001
media_port_to =45000
ws.port =9080
wss.port =9443
http.port =9081
https.port =9444
keep_alive.server_interval=2500
keep_alive.probes=4
rtp_activity_detecting =true,90
user_agent =Flashphoner/1.0
codecs =opus,alaw
domain =
codecs =again
`);
  assert.ok(result.ok);
  const { config, warnings, origins } = result.value;
  assert.equal(config.media.publicAddress, "203.0.113.7");
  assert.equal(config.media.addresses, "auto");
  assert.equal(config.sip.localCalls, true);
  assert.equal(config.sip.addContactId, false);
  assert.deepEqual([config.media.portFrom, config.media.portTo], [35001, 45000]);
  const { port, tlsPort, restPort, restTlsPort } = config.http;
  assert.deepEqual([port, tlsPort, restPort, restTlsPort], [9080, 9443, 9081, 9444]);
  assert.equal(config.session.pingIntervalSeconds, 3);
  assert.equal(config.session.pingProbes, 4);
  assert.equal(config.media.silenceTimeoutSeconds, 90);
  assert.equal(config.sip.userAgent, "Flashphoner/1.0");
  assert.equal(origins.get("http.port"), `${FILE}, line 8`);
  assert.deepEqual(warnings, [
    `${FILE}: settings without a meaning here are left out: codecs, domain`,
  ]);
});

Deno.test("properties: ip and ip_local, where only one of them or both say something", () => {
  const media = (text: string) => {
    const result = load(text);
    assert.ok(result.ok);
    return [result.value.config.media.addresses, result.value.config.media.publicAddress];
  };
  assert.deepEqual(media("ip=10.0.0.5\nip_local=10.0.0.5"), [["10.0.0.5"], ""]);
  assert.deepEqual(media("ip=203.0.113.7\nip_local=10.0.0.5"), [["10.0.0.5"], "203.0.113.7"]);
  assert.deepEqual(media("ip_local=10.0.0.5"), [["10.0.0.5"], ""]);
  assert.deepEqual(media("ip=0.0.0.0"), ["auto", ""]);
});

Deno.test("properties: silence may be unwatched, and the last line of a name wins", () => {
  const seconds = (text: string) => {
    const result = load(text);
    assert.ok(result.ok);
    return result.value.config.media.silenceTimeoutSeconds;
  };
  assert.equal(seconds("rtp_activity_detecting=false"), 0);
  assert.equal(seconds("rtp_activity_detecting=true"), 60);
  assert.equal(seconds("rtp_activity_detecting=true,5\nrtp_activity_detecting=true"), 60);
});

Deno.test("properties: our own file and variables win; a bad value names the property and its line", () => {
  const result = load("ws.port=1234", { PORTZERO_HTTP_PORT: "4321" });
  assert.ok(result.ok);
  assert.equal(result.value.config.http.port, 4321);
  const bad = load("x=1\nmedia_port_from=many");
  assert.ok(!bad.ok);
  assert.deepEqual(bad.error.map(({ text }) => text), [
    `media_port_from (${FILE}, line 2) is "many": expected a port number from 1024 to 65535`,
  ]);
});

Deno.test("properties: nothing to leave out, no warning; a file that is not there is a fault", () => {
  assert.equal(propertiesLayer("ip_local=10.0.0.5", FILE).warning, undefined);
  const result = loadConfig({
    commandLine: { request: "start", propertiesFile: "none" },
    env: {},
    defaults: DEFAULTS,
    readFile: () => err("no such file or folder"),
  });
  assert.ok(!result.ok);
  assert.equal(
    result.error[0]!.text,
    "cannot read the properties file none: no such file or folder",
  );
});
