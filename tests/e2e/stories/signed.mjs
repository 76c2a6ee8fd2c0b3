import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ffmpegX264 } from '../support/encoders.mjs';
import { pages, playIn, stalls, watch, watched, withPage } from '../support/players.mjs';
import { BINARY, KEY_ID, ROOT, serve, sleep, until } from '../support/server.mjs';

const python = join(ROOT, 'target/python/bin/python');
const script = join(ROOT, 'tests/e2e/support/sign.py');
const soon = (seconds = 3600) => Math.floor(Date.now() / 1000) + seconds;
const boto = (server, ...args) =>
  execFileSync(python, [script, server.privateKey, KEY_ID, ...args.map(String)], { encoding: 'utf8' }).trim();

/** Publishes under a secret key for whoever `use`s it. */
async function onAir(use, config) {
  const server = await serve(config);
  const encoder = ffmpegX264(server.rtmp('live/secret-of-match'));
  try {
    const signed = boto(server, 'custom', `${server.base}/live/match/*`, soon(), '--url', `${server.base}/live/match/index.m3u8`);
    await until('the first playlist', async () => (await fetch(signed)).ok, 30);
    return await use(server, signed);
  } finally {
    await encoder.stop('SIGKILL');
    await server.stop();
  }
}

/** The status and the code of an XML body. */
async function refusal(url, headers = {}) {
  const response = await fetch(url, { headers: { origin: 'https://player.example', ...headers } });
  const body = await response.text();
  assert.equal(response.headers.get('access-control-allow-origin'), '*', `a refusal has CORS: ${url}`);
  assert.equal(response.headers.get('x-cache'), 'Error from levada');
  return `${response.status} ${/<Code>(\w+)<\/Code>/.exec(body)?.[1]}`;
}

const cookies = (lines) => lines.split('\n').join('; ');

export const stories = {
  "boto3's signed URLs and cookies are accepted, wrong ones refused with the right body": () => onAir(async (server, signed) => {
    const target = `${server.base}/live/match/index.m3u8`;
    assert.equal((await fetch(boto(server, 'canned', target, soon()))).status, 200);
    assert.equal((await fetch(boto(server, 'custom', target, soon(), '--ip', '127.0.0.1/32'))).status, 200);
    const cookie = cookies(boto(server, 'custom', `${server.base}/live/match/*`, soon(), '--cookies'));
    assert.equal((await fetch(target, { headers: { cookie } })).status, 200);

    assert.equal(await refusal(target), '403 MissingKey');
    assert.equal(await refusal(boto(server, 'canned', target, soon(-10))), '403 AccessDenied');
    assert.equal(await refusal(boto(server, 'custom', target, soon(), '--after', soon(600))), '403 AccessDenied');
    assert.equal(await refusal(boto(server, 'custom', target, soon(), '--ip', '192.0.2.0/24')), '403 AccessDenied');
    assert.equal(await refusal(boto(server, 'custom', `${server.base}/live/other/*`, soon(), '--url', target)), '403 AccessDenied');
    assert.equal(await refusal(signed.replace(/Signature=(.)/, (_, it) => `Signature=${it === 'A' ? 'B' : 'A'}`)), '403 AccessDenied');
    assert.equal(await refusal(signed.replace(KEY_ID, 'KUNKNOWN')), '403 InvalidKey');
    assert.equal(await refusal(signed.replace(/Policy=[^&]*/, 'Policy=bm90IGpzb24_')), '403 MalformedPolicy');
    assert.equal(await refusal(target, { cookie: cookie.replace(/CloudFront-Signature=[^;]*/, 'CloudFront-Signature=%%%') }), '403 MalformedSignature');
  }),

  "the AWS CLI's signed URLs are accepted": () => onAir(async (server) => {
    const aws = (...args) => execFileSync(python, ['-m', 'awscli', 'cloudfront', 'sign', '--key-pair-id', KEY_ID,
      '--private-key', `file://${server.privateKey}`, ...args], { encoding: 'utf8' }).trim();
    const target = `${server.base}/live/match/index.m3u8`;
    const later = new Date(Date.now() + 3600_000).toISOString();
    assert.equal((await fetch(aws('--url', target, '--date-less-than', later))).status, 200);
    assert.equal((await fetch(aws('--url', target, '--date-less-than', later, '--ip-address', '127.0.0.1'))).status, 200);
    const gone = new Date(Date.now() - 3600_000).toISOString();
    assert.equal(await refusal(aws('--url', target, '--date-less-than', gone)), '403 AccessDenied');
  }),

  '`levada sign` makes URLs that the server takes': () => onAir(async (server) => {
    const target = `${server.base}/live/match/index.m3u8`;
    const signed = execFileSync(BINARY, ['sign', target, '--private-key', server.privateKey, '--key-pair-id', KEY_ID, '--expires-in', '1h'], { encoding: 'utf8' }).trim();
    assert.equal((await fetch(signed)).status, 200, signed);
  }),

  'one signed link plays live in hls.js': () => onAir((server, signed) => withPage(async (page) => {
    const query = signed.split('?')[1];
    await watch(page, `${server.base}/watch/live/match?${query}`, 45);
    const begun = await page.evaluate(() => performance.now());
    await sleep(20_000);
    const seen = await watched(page);
    assert.deepEqual(seen.events.filter((it) => it.kind === 'error' && it.status === 403), []);
    const hits = server.accessLog().filter((it) => it.path.endsWith('.m4s') && it.status === 200);
    assert.ok(seen.time > 15, `it played ${seen.time} s`);
    assert.ok(hits.length > 20 && hits.every((it) => it.query.includes('Key-Pair-Id')), 'every URI carries the signature');
    return `${stalls(seen, begun + 3000).length} stalls`;
  })),

  'one signed MPD plays in dash.js and Shaka': () => onAir(async (server, signed) => {
    const players = await pages();
    try {
      for (const player of ['dash', 'shaka']) {
        await withPage(async (page) => {
          const mpd = `${server.base}/live/match/manifest.mpd?${signed.split('?')[1]}`;
          const seen = await playIn(page, players.url(player, mpd), 10);
          assert.deepEqual(seen.events.filter((it) => it.kind === 'error'), [], player);
        });
      }
    } finally { players.close(); }
  }),

  'a signed file plays by cookies without rewriting': async () => {
    const server = await serve();
    try {
      const cookie = cookies(boto(server, 'custom', `${server.base}/secret/*`, soon(), '--cookies'));
      const get = async (path) => (await fetch(`${server.base}${path}`, { headers: { cookie } }));
      const master = await get('/secret/sample.mp4/index.m3u8');
      assert.equal(master.status, 200);
      const text = await master.text();
      assert.doesNotMatch(text, /Key-Pair-Id/);
      const first = text.split('\n').find((it) => it && !it.startsWith('#'));
      assert.equal((await get(`/secret/sample.mp4/${first}`)).status, 200);
      assert.equal((await fetch(`${server.base}/secret/sample.mp4/${first}`)).status, 403);
    } finally { await server.stop(); }
  },
};
