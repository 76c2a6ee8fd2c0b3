import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchOverHttp3, keyOf, overHttp3, watch, watched, withPage } from '../support/players.mjs';
import { freePort, serve, sleep } from '../support/server.mjs';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });

/** A server over TLS with a certificate of an authority of its own. */
async function withSecure(use) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-tls-'));
  const at = (name) => join(directory, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=An authority', '-keyout', at('ca.key'), '-out', at('ca.pem'));
  openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', at('key.pem'), '-out', at('request.pem'));
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost');
  openssl('x509', '-req', '-in', at('request.pem'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('names'), '-out', at('certificate.pem'));
  const port = await freePort();
  const server = await serve(`
[listen.https]
address = "127.0.0.1:${port}"
certificate = "${at('certificate.pem')}"
private_key = "${at('key.pem')}"
`);
  try { return await use(server, port, at('ca.pem'), keyOf(at('certificate.pem'))); } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

export const stories = {
  'aioquic fetches a title over HTTP/3, whole and as over HTTP/1.1': () => withSecure(async (server, port, authority) => {
    const seen = await fetchOverHttp3(port, authority, 'localhost', '/vod/sample.mp4/index.m3u8');
    assert.deepEqual(seen.statuses, [200]);
    assert.deepEqual(seen.rude, [400, 403, 414]);
    const sizes = await Promise.all(seen.segments.map(async (it) => (await (await fetch(server.base + it)).arrayBuffer()).byteLength));
    assert.deepEqual(seen.octets, sizes);
    return `${seen.segments.length} segments, ${sizes.reduce((sum, it) => sum + it)} octets`;
  }),
  'Chromium plays a title over HTTP/3 alone': () => withSecure((server, port, _, key) => withPage(async (page) => {
    await watch(page, `https://localhost:${port}/watch/vod/sample.mp4`);
    await sleep(3000);
    const seen = await watched(page);
    assert.ok(seen.time > 2, `${seen.time} s`);
    const spoken = await page.evaluate(() => performance.getEntriesByType('resource').map((it) => it.nextHopProtocol));
    assert.ok(spoken.length > 3 && spoken.every((it) => it === 'h3'), spoken.join());
    assert.ok(server.accessLog().some((it) => it.protocol.startsWith('HTTP/3') && it.complete));
    return `${spoken.length} resources, all over h3`;
  }, { ignoreHTTPSErrors: false }, overHttp3('localhost', port, key))),
};
