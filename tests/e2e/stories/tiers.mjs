import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffmpegX264 } from '../support/encoders.mjs';
import { stalls, watch, watched, withPage } from '../support/players.mjs';
import { background, freePort, serve, sleep, until } from '../support/server.mjs';

const SECONDS = Math.min(Number(process.env.LEVADA_E2E_SECONDS ?? 60), 30);
const STRICT = process.env.LEVADA_E2E_STRICT === '1';

/** A plain web server of another make, which says what it was asked. */
async function withWebServer(files, use) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-web-'));
  for (const [name, octets] of Object.entries(files)) writeFileSync(join(directory, name), octets);
  const port = await freePort();
  const server = background('python3', ['-u', '-m', 'http.server', String(port), '--bind', '127.0.0.1'], { cwd: directory });
  await until('the web server', async () => (await fetch(`http://127.0.0.1:${port}/`)).ok);
  const asked = (name) => server.output().split('\n').filter((line) => line.includes(`GET /${name} `)).length;
  try { return await use({ port, asked }); } finally {
    await server.stop('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
}

const web = (port, fallback = '') => `
[[origin]]
id = "web"
kind = "http"
domain_name = "127.0.0.1"
http_port = ${port}
origin_protocol_policy = "http-only"
${fallback}`;

const asParent = (port) => `${web(port)}
[[distribution]]
id = "web"
aliases = ["tv.example"]
default_behavior = { target_origin = "web" }
`;

/** An edge whose viewers come under its address: their distribution is `tv.example` at the parents. */
const asEdge = (parents, more = '') => `
[[origin]]
id = "tier"
kind = "parent"
parents = [${parents.map((it) => `"${it.base}"`).join(', ')}]
${more}
[[distribution]]
id = "edge"
aliases = ["tv.example", "127.0.0.1"]
default_behavior = { target_origin = "tier" }
behavior = [{ path_pattern = "/open/*", target_origin = "tier", cache_policy = "Levada-Live" }]
`;

const digest = (octets) => createHash('sha256').update(octets).digest('hex');

export const stories = {
  'two edges and a parent fetch each object once, and outlive the parent': () => {
    const files = Object.fromEntries([1, 2, 3, 4].map((at) => [`${at}.bin`, Buffer.alloc(3_000_000 + at, `${at}-`)]));
    return withWebServer(files, async ({ port, asked }) => {
      const parents = [await serve(asParent(port)), await serve(asParent(port))];
      const edges = [];
      try {
        for (let at = 0; at < 2; at += 1) edges.push(await serve(asEdge(parents, `fallback = "web"\n${web(port)}`)));
        const names = Object.keys(files);
        const all = edges.flatMap((edge) => names.flatMap((name) => Array.from({ length: 25 }, async () => {
          const answer = await fetch(`${edge.base}/${name}`);
          assert.equal(digest(Buffer.from(await answer.arrayBuffer())), digest(files[name]), name);
        })));
        await Promise.all(all);
        for (const name of names) assert.equal(asked(name), 1, `${name} was fetched once`);
        const through = await Promise.all(parents.map(async (it) => Number(/^levada_origin_requests_total\{origin="web"\} (\d+)/m.exec(await it.metrics())[1])));
        const range = await fetch(`${edges[0].base}/1.bin`, { headers: { range: 'bytes=2000000-2000009' } });
        assert.ok(Buffer.from(await range.arrayBuffer()).equals(files['1.bin'].subarray(2000000, 2000010)));

        for (const parent of parents.splice(0)) await parent.stop();
        const cold = await fetch(`${edges[0].base}/?cold`);
        assert.equal(cold.status, 200, 'the origin itself answers for its tier');
        return `${all.length} requests, ${names.length} fetches, by parent ${through.join(' and ')}`;
      } finally {
        for (const server of [...edges, ...parents]) await server.stop();
      }
    });
  },

  'a broadcast plays in low latency through two edges and a parent': async () => {
    const parent = await serve();
    const edges = [];
    let encoder;
    try {
      for (let at = 0; at < 2; at += 1) edges.push(await serve(asEdge([parent])));
      encoder = ffmpegX264(parent.rtmp('open/match'));
      const plays = (edge) => withPage(async (page) => {
        await watch(page, `${edge.base}/watch/open/match`, 45);
        const from = await page.evaluate(() => ({ now: performance.now(), time: document.querySelector('video').currentTime }));
        const delays = [];
        for (let second = 0; second < SECONDS; second += 1) {
          await sleep(1000);
          if (second >= 5) delays.push((await watched(page)).behind);
        }
        const seen = await watched(page);
        const wall = (await page.evaluate(() => performance.now()) - from.now) / 1000;
        assert.deepEqual(seen.events.filter((it) => it.kind === 'error' && (it.fatal || it.status >= 400)), []);
        assert.ok(seen.lowLatency, 'the player found parts');
        assert.ok(seen.time - from.time > 0.8 * wall, `${seen.time - from.time} s of media in ${wall} s`);
        const waits = stalls(seen, from.now + 3000).length;
        if (STRICT) assert.equal(waits, 0, 'it stalled');
        delays.sort((a, b) => a - b);
        return `${waits || 'no'} stalls, ${delays[Math.floor(delays.length / 2)].toFixed(2)} s behind`;
      });
      return (await Promise.all(edges.map(plays))).join('; ');
    } finally {
      if (encoder) await encoder.stop('SIGKILL');
      for (const server of [...edges, parent]) await server.stop();
    }
  },
};
