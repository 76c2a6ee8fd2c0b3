import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withAuthority } from '../support/authority.mjs';
import { freePort, serve, until } from '../support/server.mjs';

const NAMES = ['tv.example.test', 'film.example.test'];

/** What curl gets over TLS from a name of ours, trusting this authority alone. */
const fetched = (port, name, root) => execFileSync('curl', ['--silent', '--show-error', '--fail', '--cacert', root,
  '--resolve', `${name}:${port}:127.0.0.1`, `https://${name}:${port}/vod/sample.mp4/index.m3u8`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

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
