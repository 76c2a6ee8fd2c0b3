import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withAuthority } from '../support/authority.mjs';
import { fetchOverHttp3, keyOf, overHttp3, pages, playIn, trusting, watch, watched, withPage } from '../support/players.mjs';
import { freePort, serve, until } from '../support/server.mjs';

const NAMES = ['tv.example.test', 'film.example.test'];

const PLAYLIST = '/vod/sample.mp4/index.m3u8';

/** What curl gets over TLS from a name of ours, trusting this authority alone. */
const fetched = (port, name, root, ...args) => execFileSync('curl', ['--silent', '--show-error', '--fail', '--cacert', root,
  '--resolve', `${name}:${port}:127.0.0.1`, `https://${name}:${port}${PLAYLIST}`, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Plays in a browser that trusts the server's certificate alone, and says which protocols it spoke. */
const played = async (args, play) => withPage(async (page) => {
  await play(page);
  const spoken = await page.evaluate(() => performance.getEntriesByType('resource').filter((it) => it.name.startsWith('https:')).map((it) => it.nextHopProtocol));
  assert.ok(spoken.length > 3, spoken.join());
  assert.deepEqual(page.problems, []);
  return [...new Set(spoken)];
}, { ignoreHTTPSErrors: false }, args);

export const stories = {
  'a certificate for several names is got from an authority and kept over a restart': async () => {
    const [http, https] = [await freePort(), await freePort()];
    return withAuthority(http, async (authority) => {
      const config = (names) => `
[listen.https]
address = "127.0.0.1:${https}"
[listen.https.acme]
names = ${JSON.stringify(names)}
contact = ["mailto:ops@example.test"]
directory = "${authority.directory}"
authority = "${authority.trust}"
`;
      const server = await serve(config(NAMES), { env: { LEVADA_LISTEN__HTTP: `127.0.0.1:${http}` } });
      try {
        for (const name of NAMES) {
          await until(`a certificate for ${name}`, () => fetched(https, name, authority.root).startsWith('#EXTM3U'));
        }
        const file = join(server.directory, 'state/acme/certificate.pem');
        const first = readFileSync(file, 'utf8');
        assert.equal(statSync(file).mode & 0o777, 0o600);
        await server.restart();
        fetched(https, NAMES[0], authority.root);
        assert.equal(readFileSync(file, 'utf8'), first, 'it is not asked for again');
        assert.equal((await fetch(`http://127.0.0.1:${http}/.well-known/acme-challenge/none`)).status, 404);
      } finally { await server.stop(); }
    });
  },
  'players and fetchers of every protocol take the certificate of an authority': async () => {
    const [http, https, name] = [await freePort(), await freePort(), NAMES[0]];
    return withAuthority(http, async (authority) => {
      const server = await serve(`
[listen.https]
address = "127.0.0.1:${https}"
[listen.https.acme]
names = ["${name}"]
directory = "${authority.directory}"
authority = "${authority.trust}"
`, { env: { LEVADA_LISTEN__HTTP: `127.0.0.1:${http}` } });
      const site = await pages();
      try {
        await until('a certificate', () => fetched(https, name, authority.root).startsWith('#EXTM3U'));
        for (const [asked, spoken] of [['--http1.1', '1.1'], ['--http2', '2']]) {
          assert.ok(fetched(https, name, authority.root, asked, '--write-out', 'HTTP/%{http_version}').endsWith(`HTTP/${spoken}`));
        }
        assert.deepEqual((await fetchOverHttp3(https, authority.root, name, PLAYLIST)).statuses, [200]);
        const key = keyOf(join(server.directory, 'state/acme/certificate.pem'));
        const base = `https://${name}:${https}`;
        const hls = async (page) => {
          await watch(page, `${base}/watch/vod/sample.mp4`);
          await until('3 s of media', async () => (await watched(page)).time > 3);
        };
        const dash = (page) => playIn(page, site.url('dash', `${base}/vod/sample.mp4/manifest.mpd`), 3);
        assert.deepEqual(await played(trusting(name, key), hls), ['h2']);
        assert.deepEqual(await played(trusting(name, key), dash), ['h2']);
        assert.deepEqual(await played(overHttp3(name, https, key), hls), ['h3']);
        assert.deepEqual(await played(overHttp3(name, https, key), dash), ['h3']);
        return 'curl, aioquic, hls.js and dash.js, over HTTP/1.1, 2 and 3';
      } finally {
        site.close();
        await server.stop();
      }
    });
  },
  'an authority that cannot find us is no obstacle, and says why': async () => {
    const https = await freePort();
    return withAuthority(await freePort(), async (authority) => {
      const server = await serve(`
[listen.https]
address = "127.0.0.1:${https}"
[listen.https.acme]
names = ["tv.example.test"]
directory = "${authority.directory}"
authority = "${authority.trust}"
`);
      try {
        await until('the reason', () => /there is no new certificate.*tv\.example\.test/.test(server.output()));
        assert.match(server.output(), /tv\.example\.test.*connection refused/);
        assert.ok((await fetch(`${server.base}/vod/sample.mp4/index.m3u8`)).ok);
      } finally { await server.stop(); }
    });
  },
};
