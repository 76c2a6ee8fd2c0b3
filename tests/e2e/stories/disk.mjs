import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { body, hash, origin } from '../support/origin.mjs';
import { serve, sleep, until } from '../support/server.mjs';

// How often the server is killed: each time takes two to three seconds.
const KILLS = Number(process.env.LEVADA_E2E_KILLS ?? 4);

/** A server with a disk for its cache before a web server of ours. */
async function withDisk(directory, { memory = '16 MiB', size }, use) {
  const web = await origin();
  const server = await serve(`
[[distribution.behavior]]
path_pattern = "/web/*"
target_origin = "web"
cache_policy = "Levada-Media"
[[origin]]
id = "web"
kind = "http"
domain_name = "127.0.0.1"
http_port = ${web.port}
origin_protocol_policy = "http-only"
[cache]
memory = "${memory}"
disk = { directory = "${directory}", size = "${size}" }
`);
  try { return await use(server, web); } finally {
    await server.stop();
    web.stop();
  }
}

/** Objects of a few hundred octets to a few megabytes, known by their hash. */
const objects = Array.from({ length: 300 }, (_, at) => {
  const length = [300, 4_000, 60_000, 300_000, 1_500_000][at % 5] + at;
  const path = `/web/${at}/${length}`;
  return { path, hash: hash(body(path)) };
});

/** Asks for an object; tells how the cache answered. Every octet of a whole answer has to be right. */
async function fetched(server, { path, hash: expected }) {
  const { stdout: out } = await promisify(execFile)('curl', ['-sS', '--max-time', '20', '-D', '-', `${server.base}${path}`], { maxBuffer: 1 << 24, encoding: 'buffer' });
  const end = out.indexOf('\r\n\r\n');
  const head = out.subarray(0, end).toString();
  assert.match(head, /^HTTP\/1\.1 200/, `${path}: ${head}`);
  assert.equal(hash(out.subarray(end + 4)), expected, `${path} has wrong octets:\n${head}`);
  return /x-cache: (\w+)/i.exec(head)[1];
}

/** Viewers who ask for one object after the other until told; what a kill cut off is no fault, a wrong octet is. */
function viewers(server, many) {
  const state = { stop: false, answered: 0, wrong: [] };
  const view = async () => {
    while (!state.stop) {
      const { path, hash: expected } = objects[Math.floor(Math.random() * objects.length)];
      try {
        const response = await fetch(`${server.base}${path}`);
        const octets = Buffer.from(await response.arrayBuffer());
        if (response.status !== 200 || hash(octets) !== expected) state.wrong.push(`${path}: ${response.status}, ${octets.length} octets`);
        state.answered += 1;
      } catch { await sleep(20); }
    }
  };
  const all = Array.from({ length: many }, view);
  return { state, stop: async () => { state.stop = true; await Promise.all(all); } };
}

const metric = async (server, name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(await server.metrics())?.[1]);

export const stories = {
  'a server that is killed under load gives no wrong octet and begins warm': async () => {
    const directory = mkdtempSync(join(tmpdir(), 'levada-disk-'));
    try {
      return await withDisk(directory, { size: '1 GiB' }, async (server) => {
        const load = viewers(server, 8);
        let warm = 0;
        try {
          for (let kill = 0; kill < KILLS; kill += 1) {
            await sleep(1_000 + Math.random() * 1_000);
            await server.restart('SIGKILL');
            // The first requests after a start already find what was kept.
            let hits = 0;
            for (const object of objects.filter((_, at) => at % 25 === kill % 25)) hits += await fetched(server, object) === 'Hit' ? 1 : 0;
            assert.ok(hits > 0, `after kill ${kill + 1} nothing was found on the disk`);
            warm += hits;
          }
        } finally { await load.stop(); }
        assert.deepEqual(load.state.wrong, []);
        for (const object of objects) await fetched(server, object);
        return `${KILLS} kills, ${load.state.answered} answers under load, all right; ${warm} of ${KILLS * 12} first requests after a start were hits`;
      });
    } finally { rmSync(directory, { recursive: true, force: true }); }
  },

  'a full disk fails no request, and is used again when there is room': async () => {
    assert.equal(process.getuid(), 0, 'a file system of its own needs root');
    const directory = mkdtempSync(join(tmpdir(), 'levada-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', directory]);
    try {
      return await withDisk(directory, { size: '1 GiB' }, async (server) => {
        for (const object of objects) await fetched(server, object);
        for (const object of objects) await fetched(server, object);
        // What a full file system takes is what was let go for it; what it does not take is counted.
        const [errors, evictions] = [await metric(server, 'levada_cache_disk_errors_total'), await metric(server, 'levada_cache_disk_evictions_total')];
        assert.ok(errors + evictions > 0, 'the disk was full');
        assert.match(readFileSync('/proc/mounts', 'utf8'), new RegExp(directory));
        execFileSync('mount', ['-o', 'remount,size=1g', directory]);
        const written = () => metric(server, 'levada_cache_disk_writes_total');
        const before = await written();
        await until('the disk to be used again', async () => {
          for (const object of objects.slice(0, 100)) await fetched(server, object);
          return await written() > before + 10;
        }, 60);
        return `600 answers, all right, ${errors} writes failed, ${evictions} answers made room; used again after there was more`;
      });
    } finally {
      execFileSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
