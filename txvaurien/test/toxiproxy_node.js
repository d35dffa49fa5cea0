// Every call of Toxiproxy's client for node, unchanged, with real traffic.
//
// usage: node toxiproxy_node.js CASE CONTROL-URL UPSTREAM
//
// CONTROL-URL is that of a server without proxies, UPSTREAM the address of a backend that says "one:" and then what it
// has heard. Ends with status 0 if all is as it should be.
"use strict";

const assert = require("node:assert/strict");
const net = require("node:net");
const { Proxy, Toxic, Toxiproxy, ToxiproxyError } = require("toxiproxy-node-client");

const [name, url, upstream] = process.argv.slice(2);
const toxiproxy = new Toxiproxy(url);

// What the backend answers, up to what was said or to the end; the code of the error where there is one.
function ask(listen, data = "hello") {
  const port = Number(listen.slice(listen.lastIndexOf(":") + 1));
  return new Promise((resolve) => {
    let received = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write(data));
    socket.on("data", (more) => {
      received += more;
      if (received.endsWith(data)) {
        resolve(received);
        socket.destroy();
      }
    });
    socket.on("end", () => resolve(received));
    socket.on("error", (error) => resolve(error.code));
  });
}

function create(name = "redis", more = {}) {
  return toxiproxy.createProxy({ name, upstream, listen: "localhost:0", ...more });
}

// It fails with this status.
function fails(promise, status) {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof ToxiproxyError);
    assert.equal(error.message, `Request failed with status code ${status}`);
    return true;
  });
}

const cases = {
  async version() {
    assert.match(JSON.parse(await toxiproxy.getVersion()).version, /^2\.\d+\.\d+$/);
  },

  async create() {
    const proxy = await create();
    assert.ok(proxy instanceof Proxy);
    assert.equal(proxy.getToxiproxy(), toxiproxy);
    assert.deepEqual([proxy.getHost(), proxy.getPath()], [url, `${url}/proxies/redis`]);
    assert.deepEqual(proxy.toJson(), { name: "redis", upstream, listen: proxy.listen, enabled: true });
    assert.match(proxy.listen, /^127\.0\.0\.1:[1-9]\d*$/);
    assert.equal(await ask(proxy.listen), "one:hello");
    await fails(create(), 409);
    await fails(create("other", { upstream: "" }), 400);
    const disabled = await create("other", { enabled: false });
    assert.equal(disabled.enabled, false);
  },

  async get() {
    const made = [await create("a"), await create("b")];
    const found = await toxiproxy.get("a");
    assert.deepEqual(found.toJson(), made[0].toJson());
    const all = await toxiproxy.getAll();
    assert.deepEqual(Object.keys(all), ["a", "b"]);
    assert.deepEqual(all.b.toJson(), made[1].toJson());
    await fails(toxiproxy.get("c"), 404);
  },

  async remove() {
    const proxy = await create();
    await proxy.remove();
    assert.equal(await ask(proxy.listen), "ECONNREFUSED");
    await fails(proxy.remove(), 404);
    assert.deepEqual(await toxiproxy.getAll(), {});
  },

  async update() {
    const proxy = await create();
    const body = { listen: proxy.listen, upstream: proxy.upstream };
    const disabled = await proxy.update({ ...body, enabled: false });
    assert.equal(disabled.enabled, false);
    assert.equal(await ask(proxy.listen), "ECONNREFUSED");
    const enabled = await proxy.update({ ...body, enabled: true });
    assert.deepEqual(enabled.toJson(), proxy.toJson());
    assert.equal(await ask(proxy.listen), "one:hello");
    await fails(proxy.update({ ...body, listen: "nowhere", enabled: true }), 400);
  },

  async populate() {
    const body = [
      { name: "a", upstream, listen: "127.0.0.1:0" },
      { name: "b", upstream, listen: "127.0.0.1:0", enabled: false },
    ];
    const made = await toxiproxy.populate(body);
    assert.deepEqual(Object.keys(made), ["a", "b"]);
    assert.deepEqual([made.a.enabled, made.b.enabled], [true, false]);
    assert.equal(await ask(made.a.listen), "one:hello");
    const again = await toxiproxy.populate(body);
    assert.deepEqual(again.a.toJson(), made.a.toJson());
    await fails(toxiproxy.populate([{ name: "c" }]), 400);
  },

  async reset() {
    const proxy = await create();
    await proxy.addToxic({ type: "timeout", attributes: { timeout: 1 } });
    await proxy.update({ listen: proxy.listen, upstream, enabled: false });
    assert.equal(await toxiproxy.reset(), undefined);
    assert.equal(await ask(proxy.listen), "one:hello");
  },

  async toxics() {
    const proxy = await create();
    const made = await proxy.addToxic({
      type: "limit_data",
      name: "short",
      stream: "downstream",
      toxicity: 1,
      attributes: { bytes: 3 },
    });
    assert.ok(made instanceof Toxic);
    assert.equal(made.getPath(), `${proxy.getPath()}/toxics/short`);
    const plain = { type: "limit_data", name: "short", stream: "downstream", toxicity: 1 };
    assert.deepEqual(made.toJson(), { ...plain, attributes: { bytes: 3 } });
    assert.equal(await ask(proxy.listen), "one");
    const found = await proxy.getToxic("short");
    assert.deepEqual(found.toJson(), made.toJson());
    const updated = await found.update({ ...plain, attributes: { bytes: 5 } });
    assert.equal(updated.attributes.bytes, 5);
    assert.equal(await ask(proxy.listen), "one:h");
    await updated.remove();
    assert.equal(await ask(proxy.listen), "one:hello");
    await fails(updated.remove(), 404);
    await fails(proxy.getToxic("short"), 404);
    await fails(proxy.addToxic({ type: "latenzy", attributes: {} }), 400);
  },

  async types() {
    const proxy = await create();
    const expected = {
      latency: [{ latency: 1, jitter: 1 }, "one:hello"],
      bandwidth: [{ rate: 1000 }, "one:hello"],
      slow_close: [{ delay: 1 }, "one:hello"],
      slicer: [{ average_size: 2, size_variation: 1, delay: 1 }, "one:hello"],
      timeout: [{ timeout: 1 }, ""],
      limit_data: [{ bytes: 0 }, ""],
      reset_peer: [{ timeout: 0 }, "ECONNRESET"],
    };
    for (const [type, [attributes, answer]] of Object.entries(expected)) {
      const toxic = await proxy.addToxic({ type, attributes });
      assert.equal(toxic.name, `${type}_downstream`);
      assert.equal(await ask(proxy.listen), answer, type);
      await toxic.remove();
    }
  },

  async http() {
    const api = toxiproxy.getApi();
    await api.post(`${url}/proxies`, { name: "redis", upstream });
    assert.deepEqual(Object.keys((await api.get(`${url}/proxies`)).data), ["redis"]);
    assert.match(await api.getText(`${url}/version`), /version/);
    await api.delete(`${url}/proxies/redis`);
    await fails(api.get(`${url}/proxies/redis`), 404);
  },
};

cases[name]().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
