// Encrypted titles, opened by software that shares no line with ours: ffmpeg, OpenSSL, Chromium's clear key system.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pages, playIn, run, withPage } from '../support/players.mjs';
import { serve, until } from '../support/server.mjs';

const METHODS = '["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]';

/** A server with one directory three times: whole segments, cbcs, and cenc with keys that change and differ for sound. */
async function withTitles(use) {
  const media = mkdtempSync(join(tmpdir(), 'levada-sealed-'));
  const ffmpeg = (...args) => execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { cwd: media });
  const source = (seconds) => ['-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${seconds}`, '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`];
  // Several slices, B-frames, weights: what makes headers of slices long.
  ffmpeg(...source(74), '-vf', 'fade=in:0:60', '-c:v', 'libx264', '-preset', 'veryfast', '-x264-params', 'keyint=50:scenecut=0:bframes=3:slices=3:weightp=2', '-pix_fmt', 'yuv420p', '-c:a', 'aac', 'film.mp4');
  ffmpeg(...source(14), '-c:v', 'libx264', '-preset', 'veryfast', '-g', '50', '-bf', '0', '-pix_fmt', 'yuv420p', '-c:a', 'aac', 'plain.mp4');
  ffmpeg(...source(12), '-c:v', 'libx265', '-preset', 'veryfast', '-x265-params', 'log-level=none:keyint=50:scenecut=0:slices=2', '-pix_fmt', 'yuv420p', '-tag:v', 'hvc1', '-c:a', 'ac3', 'film265.mp4');
  const origin = (id, encryption) => `
[[origin]]
id = "${id}"
kind = "vod"
root = "${media}"
encryption = { ${encryption} }
[[distribution.behavior]]
path_pattern = "/${id}/*"
target_origin = "${id}"
cache_policy = "Levada-Media"
${id === 'whole' ? '' : `allowed_methods = ${METHODS}`}`;
  const secret = 'secret = "a long and random text"';
  writeFileSync(join(media, 'keys.toml'), `[[key]]\ntitle = "/*"\nkid = "00112233-4455-6677-8899-aabbccddeeff"\nkey = "000102030405060708090a0b0c0d0e0f"\niv = "0f0e0d0c0b0a09080706050403020100"\n`);
  const behaviors = [
    origin('whole', `method = "aes-128", ${secret}, rotation = "1m"`),
    origin('cbcs', `method = "cbcs", keys_file = "${join(media, 'keys.toml')}"`),
    origin('cenc', `method = "cenc", ${secret}, separate_keys = true, rotation = "1m", systems = ["clearkey", "widevine", "playready"]`),
  ].map((it) => it.split('[[distribution.behavior]]'));
  // Tables of one distribution stand together: all behaviors first.
  const config = behaviors.map((it) => `[[distribution.behavior]]${it[1]}`).join('\n') + behaviors.map((it) => it[0]).join('\n');
  const server = await serve(config, { media });
  try { return await use(server, media); } finally {
    await server.stop();
    rmSync(media, { recursive: true, force: true });
  }
}

const text = async (url) => (await fetch(url)).text();
const octets = async (url) => {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return Buffer.from(await answer.arrayBuffer());
};
const tagOf = async (title) => /([0-9a-f]{16})\/v0/.exec(await text(`${title}/index.m3u8`))[1];

/** Hashes of the decoded pictures, in order. */
async function pictures(args, input) {
  const decoding = run('ffmpeg', ['-v', 'error', ...args, '-an', '-f', 'framemd5', '-'], { maxBuffer: 64 << 20 });
  if (input) decoding.child.stdin.end(input);
  const { stdout } = await decoding;
  return stdout.split('\n').filter((it) => it && !it.startsWith('#')).map((it) => it.split(/[\s,]+/).at(-1));
}

/** The name of the first key of pictures, as license requests have it. */
async function firstKid(server) {
  const mpd = await text(`${server.base}/cenc/film.mp4/manifest.mpd`);
  return Buffer.from(/default_KID="([^"]+)"/.exec(mpd)[1].replaceAll('-', ''), 'hex').toString('base64url');
}

export const stories = {
  'ffmpeg decrypts whole segments and samples of transport streams': () => withTitles(async (server, media) => {
    const source = await pictures(['-i', join(media, 'film.mp4')]);
    for (const playlist of ['index.m3u8', 'index-ts.m3u8']) {
      assert.deepEqual(await pictures(['-i', `${server.base}/whole/film.mp4/${playlist}`]), source, playlist);
    }
    // Of pictures in several slices ffmpeg decrypts only one where emulation prevention shrinks it, and hands on the last frame of
    // a playlist as it came.
    const plain = await pictures(['-i', join(media, 'plain.mp4')]);
    const served = await pictures(['-i', `${server.base}/cbcs/plain.mp4/index-ts.m3u8`]);
    assert.equal(served.length, plain.length);
    assert.deepEqual(served.slice(0, -2), plain.slice(0, -2), 'SAMPLE-AES');
    const media0 = await text(`${server.base}/whole/film.mp4/${await tagOf(`${server.base}/whole/film.mp4`)}/v0/index.m3u8`);
    assert.deepEqual([...media0.matchAll(/#EXT-X-KEY:METHOD=AES-128,URI="(\d+)\.key"/g)].map((it) => it[1]), ['0', '1'], 'a key a minute');
    return `${2 * source.length + plain.length} pictures, each alike`;
  }),

  'OpenSSL decrypts a whole segment by the number it has': () => withTitles(async (server) => {
    const title = `${server.base}/whole/film.mp4`;
    const track = `${title}/${await tagOf(title)}/v0`;
    const [key, later, segment] = [await octets(`${track}/0.key`), await octets(`${track}/1.key`), await octets(`${track}/3.m4s`)];
    assert.notDeepEqual(key, later);
    const clear = execFileSync('openssl', ['enc', '-d', '-aes-128-cbc', '-K', key.toString('hex'), '-iv', '3'.padStart(32, '0')], { input: segment });
    assert.equal(clear.subarray(4, 8).toString(), 'styp');
    const answer = await fetch(`${track}/0.key`);
    assert.equal(answer.headers.get('cache-control'), 'private, no-store');
    // Another playlist of the same pictures has another key: the numbers, which are vectors, are the same.
    assert.notDeepEqual(await octets(`${track}/ts0.key`), key);
    assert.notDeepEqual(await octets(`${track}/i0.key`), key);
    assert.equal((await fetch(`${track}/9.key`)).status, 404);
    assert.equal((await fetch(`${title}/license`, { method: 'POST', body: '{}' })).status >= 400, true);
  }),

  'ffmpeg decrypts cbcs and cenc, H.264 and H.265': () => withTitles(async (server, media) => {
    for (const [kind, file] of [['cbcs', 'film.mp4'], ['cbcs', 'film265.mp4'], ['cenc', 'film265.mp4']]) {
      const title = `${server.base}/${kind}/${file}`;
      const track = `${title}/${await tagOf(title)}/v0`;
      const key = (await octets(`${track}/0.key`)).toString('hex');
      const names = (await text(`${track}/index.m3u8`)).split('\n').filter((it) => it.endsWith('.m4s'));
      const parts = [await octets(`${track}/init.mp4`)];
      for (const name of names) parts.push(await octets(`${track}/${name}`));
      assert.deepEqual(await pictures(['-decryption_key', key, '-i', '-'], Buffer.concat(parts)), await pictures(['-i', join(media, file)]), `${kind} ${file}`);
    }
  }),

  'dash.js and Shaka play with clear keys, over every change of key': () => withTitles(async (server) => {
    const players = await pages();
    try {
      for (const [player, kind, manifest] of [['shaka', 'cenc', 'manifest.mpd'], ['dash', 'cenc', 'manifest.mpd'], ['shaka', 'cbcs', 'manifest.mpd'], ['dash', 'cbcs', 'manifest.mpd'], ['shaka', 'cbcs', 'index.m3u8']]) {
        const title = `${server.base}/${kind}/film.mp4`;
        const license = manifest.endsWith('.mpd') ? `${title}/license` : '';
        await withPage(async (page) => {
          await playIn(page, players.url(player, `${title}/${manifest}`, { license }), 2);
          // Behind the minute the keys are others.
          await page.evaluate(() => { document.querySelector('video').currentTime = 66; });
          await until('the next key', () => page.evaluate(() => document.querySelector('video').currentTime > 68));
          const seen = await page.evaluate(() => ({ keys: !!document.querySelector('video').mediaKeys, width: document.querySelector('video').videoWidth,
            dropped: document.querySelector('video').getVideoPlaybackQuality().corruptedVideoFrames, errors: window.events.filter((it) => it.kind === 'error') }));
          assert.deepEqual(seen, { keys: true, width: 640, dropped: 0, errors: [] }, `${player} ${kind} ${manifest}`);
        });
      }
    } finally { players.close(); }
  }),

  'hls.js plays whole segments that are encrypted': () => withTitles(async (server) => {
    const players = await pages();
    try {
      for (const manifest of ['index.m3u8', 'index-ts.m3u8']) {
        await withPage(async (page) => {
          await playIn(page, players.url('hls', `${server.base}/whole/film.mp4/${manifest}`), 2);
          await page.evaluate(() => { document.querySelector('video').currentTime = 66; });
          await until('the next key', () => page.evaluate(() => document.querySelector('video').currentTime > 68));
          assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), [], manifest);
        });
      }
    } finally { players.close(); }
  }),

  'keys are given by name, to those who ask rightly': () => withTitles(async (server) => {
    const license = `${server.base}/cbcs/film.mp4/license`;
    const ask = (body) => fetch(license, { method: 'POST', body });
    const kid = Buffer.from('00112233445566778899aabbccddeeff', 'hex').toString('base64url');
    const given = await ask(JSON.stringify({ kids: [kid, 'AAAAAAAAAAAAAAAAAAAAAA'], type: 'temporary' }));
    assert.equal(given.headers.get('cache-control'), 'private, no-store');
    const { keys: all } = JSON.parse(await (await fetch(`${server.base}/cenc/film.mp4/license`, { method: 'POST', body: JSON.stringify({ kids: [(await firstKid(server))] }) })).text());
    assert.equal(all.length, 4, 'pictures and sound, of two periods');
    assert.deepEqual(await given.json(), { keys: [{ kty: 'oct', kid, k: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex').toString('base64url') }], type: 'temporary' });
    for (const [body, status] of [['', 400], ['{"kids":["x"]}', 400], ['{"kids":["AAAAAAAAAAAAAAAAAAAAAA"]}', 404], ['x'.repeat(100_000), 400]]) {
      assert.equal((await ask(body)).status, status, body.slice(0, 40));
    }
    const got = await fetch(license);
    assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST']);
    assert.equal((await fetch(`${server.base}/cbcs/film.mp4/index.m3u8`, { method: 'POST', body: 'x' })).status, 405);
    // A manifest never leads to a segment in the clear.
    const tag = await tagOf(`${server.base}/cbcs/film.mp4`);
    const segment = await octets(`${server.base}/cbcs/film.mp4/${tag}/v0/1.m4s`);
    assert.ok(segment.includes('senc') && !segment.includes('x264 - core'));
  }),
};
