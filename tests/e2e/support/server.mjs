// A Levada of its own for a story: free ports, a directory of its own, stopped at the end.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, openSync, readFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = new URL('../../..', import.meta.url).pathname;
export const BINARY = process.env.LEVADA_BINARY ?? join(ROOT, 'target/debug/levada');
export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail).listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** Waits until `check` gives something true; its last error says what was missing. */
export async function until(what, check, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      const found = await check();
      if (found) return found;
    } catch (error) { last = error; }
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}${last ? `: ${last.message}` : ''}`);
    await sleep(100);
  }
}

/** Starts a program in the background, its output in a file that errors quote. */
export function background(command, args, options = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-run-'));
  const log = join(directory, 'log');
  const out = openSync(log, 'w');
  const child = spawn(command, args, { stdio: ['ignore', out, out], ...options });
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  child.once('error', () => {});
  let said;
  return {
    child,
    ended,
    output: () => said ?? readFileSync(log, 'utf8'),
    async stop(signal = 'SIGTERM', seconds = 15) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
      const code = await ended;
      clearTimeout(timer);
      said ??= readFileSync(log, 'utf8');
      rmSync(directory, { recursive: true, force: true });
      return code;
    },
  };
}

export const KEY_ID = 'K2JCJMDEHXQW5F';

/** A running server. `config` is added to the common part; `{media}` in it is the directory of media files. */
export async function serve(config = '', { media = join(ROOT, 'samples/media'), env = {} } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-e2e-'));
  const [http, rtmp, control] = [await freePort(), await freePort(), await freePort()];
  const keys = join(directory, 'keys');
  mkdirSync(keys);
  execFileSync('openssl', ['genrsa', '-traditional', '-out', join(keys, 'viewer.pem'), '2048'], { stdio: 'ignore' });
  execFileSync('openssl', ['rsa', '-in', join(keys, 'viewer.pem'), '-pubout', '-out', join(keys, 'viewer.pub.pem')], { stdio: 'ignore' });
  const file = join(directory, 'levada.toml');
  writeFileSync(join(directory, 'stream-keys.toml'), '"secret-of-match" = "match"\n');
  writeFileSync(file, `
state_dir = "state"
[listen]
rtmp = "127.0.0.1:${rtmp}"
http = "127.0.0.1:${http}"
control = "127.0.0.1:${control}"
[observe]
log = "info"
access_log = { file = "access.log", format = "json" }
[[app]]
name = "live"
publish = { keys_file = "stream-keys.toml" }
[[app]]
name = "open"
publish = "open"
[[public_key]]
id = "${KEY_ID}"
file = "keys/viewer.pub.pem"
[[key_group]]
name = "viewers"
keys = ["${KEY_ID}"]
[[origin]]
id = "live"
kind = "live"
[[origin]]
id = "films"
kind = "vod"
root = "${media}"
[[distribution]]
aliases = ["localhost"]
default = true
default_behavior = { target_origin = "films" }
[[distribution.behavior]]
path_pattern = "/live/*"
target_origin = "live"
trusted_key_groups = ["viewers"]
cache_policy = "Levada-Live"
[[distribution.behavior]]
path_pattern = "/open/*"
target_origin = "live"
cache_policy = "Levada-Live"
[[distribution.behavior]]
path_pattern = "/vod/*"
target_origin = "films"
[[distribution.behavior]]
path_pattern = "/secret/*"
target_origin = "films"
trusted_key_groups = ["viewers"]
${config}`);
  const base = `http://127.0.0.1:${http}`;
  const controlBase = `http://127.0.0.1:${control}`;
  let running;
  const start = async () => {
    running = background(BINARY, ['serve', '--config', file], { cwd: directory, env: { ...process.env, ...env } });
    const early = running.ended.then((code) => { throw new Error(`levada ended with ${code}:\n${running.output()}`); });
    early.catch(() => {});
    await Promise.race([early, until('readyz', async () => (await fetch(`${controlBase}/readyz`)).ok)]);
  };
  await start();
  const token = () => readFileSync(join(directory, 'state/control-token'), 'utf8').trim();
  return {
    directory, file, base, controlBase, http, control,
    privateKey: join(keys, 'viewer.pem'),
    rtmp: (path) => `rtmp://127.0.0.1:${rtmp}/${path}`,
    rtmpPort: rtmp,
    pid: () => running.child.pid,
    output: () => running.output(),
    accessLog: () => readFileSync(join(directory, 'access.log'), 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)),
    api: async (path) => (await fetch(`${controlBase}/api/${path}`, { headers: { authorization: `Bearer ${token()}` } })).json(),
    metrics: async () => (await fetch(`${controlBase}/metrics`)).text(),
    async restart(signal = 'SIGTERM') { await running.stop(signal); await start(); },
    signal: (signal) => running.child.kill(signal),
    async stop() {
      const code = await running.stop();
      rmSync(directory, { recursive: true, force: true });
      return code;
    },
  };
}
