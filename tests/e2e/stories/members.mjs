// Stored titles for viewers with a signature alone: all that a manifest leads to, for every player.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ffprobe, pages, playIn, run, withPage } from '../support/players.mjs';
import { KEY_ID, ROOT, serve, until } from '../support/server.mjs';
import { ladder, withDirectory } from '../support/titles.mjs';
import { walk } from '../support/walk.mjs';

const TITLE = '/members/film.set.json';
const MANIFESTS = ['index.m3u8', 'index-ts.m3u8', 'manifest.mpd', 'manifest-trick.mpd'];

/** The kinds of resources that a ladder with subtitles has. */
const KINDS = ['index.m3u8', 'index-ts.m3u8', 'manifest.mpd', 'manifest-trick.mpd', 'iframes.m3u8', 'init.mp4', '0.m4s', 'i0.m4s', '0.ts', '0.vtt', 'all.vtt'];

/** Each player, and what it plays. */
const PLAYED = [['hls', 'index.m3u8'], ['hls', 'index-ts.m3u8'], ['videojs', 'index.m3u8'], ['dash', 'manifest.mpd'], ['shaka', 'manifest.mpd'], ['shaka', 'index.m3u8']];

/** What boto3 signs for all of the title: a query, and the same as cookies. */
function signature(server, resource = `${TITLE}/*`) {
  const sign = (...more) => execFileSync(join(ROOT, 'target/python/bin/python'), [join(ROOT, 'tests/e2e/support/sign.py'), server.privateKey, KEY_ID,
    'custom', `${server.base}${resource}`, String(Math.floor(Date.now() / 1000) + 3600), ...more], { encoding: 'utf8' }).trim();
  const cookies = sign('--cookies').split('\n').map((it) => it.split(/=(.*)/s).slice(0, 2));
  return { query: new URL(sign('--url', 'http://x/')).search, cookies, cookie: cookies.map((it) => it.join('=')).join('; ') };
}

/** A server that has the title for members alone, and pages of another origin that may play it. */
const withMembers = (use) => withDirectory(ladder, async (media) => {
  const players = await pages();
  const server = await serve(`
[[distribution.behavior]]
path_pattern = "/members/*"
target_origin = "films"
trusted_key_groups = ["viewers"]
response_headers_policy = "pages"
[[distribution.behavior]]
path_pattern = "/locked/*"
target_origin = "locked"
trusted_key_groups = ["viewers"]
response_headers_policy = "pages"
[[origin]]
id = "locked"
kind = "vod"
root = "${media}"
encryption = { method = "aes-128", secret = "sixteen characters or more" }
[[response_headers_policy]]
name = "pages"
cors = { allow_origins = ["${players.origin}"], allow_credentials = true }
`, { media });
  try { return await use(server, players, media); } finally {
    await server.stop();
    players.close();
  }
});

const bare = (url) => url.split('?')[0];

async function text(url, headers = {}) {
  const answer = await fetch(url, { headers });
  assert.equal(answer.status, 200, url);
  return answer.text();
}

/** The status of each URL, a few at a time. */
async function statuses(urls, headers = {}) {
  const counted = {};
  for (let at = 0; at < urls.length; at += 8) {
    for (const answer of await Promise.all(urls.slice(at, at + 8).map((it) => fetch(it, { headers })))) {
      await answer.arrayBuffer();
      counted[answer.status] = (counted[answer.status] ?? 0) + 1;
    }
  }
  return counted;
}

const namesAll = (urls) => assert.deepEqual(KINDS.filter((kind) => !urls.some((it) => new URL(it).pathname.endsWith(`/${kind}`))), []);

/** Plays and seeks in every player; `query` and `cookies` are what each brings. */
async function playsEverywhere(server, players, page, { query = '', cookies = false }) {
  // What one player was given another must ask for itself.
  const browser = await page.context().newCDPSession(page);
  await browser.send('Network.enable');
  await browser.send('Network.setCacheDisabled', { cacheDisabled: true });
  for (const [player, manifest] of PLAYED) {
    const what = `${player} ${manifest}`;
    await playIn(page, players.url(player, `${server.base}${TITLE}/${manifest}${query}`, { cookies }), 1);
    await page.evaluate(() => { document.querySelector('video').currentTime = 15; });
    await until(`the seek in ${what}`, () => page.evaluate(() => document.querySelector('video').currentTime > 16));
    assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), [], what);
  }
  const asked = server.accessLog().filter((it) => it.path.startsWith('/members/') && it.method === 'GET');
  assert.deepEqual(asked.filter((it) => it.status >= 400), [], 'nothing was refused');
  return asked;
}

export const stories = {
  'every URI of every manifest carries the signature, and is refused without': () => withMembers(async (server) => {
    const { query } = signature(server);
    const all = await walk(MANIFESTS.map((it) => `${server.base}${TITLE}/${it}${query}`), text);
    namesAll(all);
    assert.deepEqual(all.filter((it) => !['Policy', 'Signature', 'Key-Pair-Id'].every((name) => new URL(it).searchParams.has(name))), []);
    assert.deepEqual(await statuses(all), { 200: all.length });
    assert.deepEqual(await statuses(all.map(bare)), { 403: all.length });
    assert.equal((await fetch(`${server.base}/members/film_180.mp4/index.m3u8${query}`)).status, 403, 'another title');
    return `${all.length} URIs`;
  }),

  'with cookies no URI carries a signature, and each is given': () => withMembers(async (server) => {
    const { cookie } = signature(server);
    const all = await walk(MANIFESTS.map((it) => `${server.base}${TITLE}/${it}`), (url) => text(url, { cookie }));
    namesAll(all);
    assert.deepEqual(all.filter((it) => it.includes('?')), []);
    assert.deepEqual(await statuses(all, { cookie }), { 200: all.length });
    assert.deepEqual(await statuses(all), { 403: all.length });
    return `${all.length} URIs`;
  }),

  'players of web pages play and seek by a signed URL': () => withMembers((server, players) => withPage(async (page) => {
    const asked = await playsEverywhere(server, players, page, signature(server));
    assert.ok(asked.every((it) => it.query.includes('Key-Pair-Id')));
    return `${asked.length} requests, each signed`;
  })),

  'players of web pages of another origin play and seek by cookies': () => withMembers((server, players) => withPage(async (page) => {
    const { cookies } = signature(server);
    await page.context().addCookies(cookies.map(([name, value]) => ({ name, value, url: server.base, httpOnly: true })));
    const asked = await playsEverywhere(server, players, page, { cookies: true });
    assert.ok(asked.every((it) => !it.query?.includes('Key-Pair-Id')));
    return `${asked.length} requests, none signed`;
  })),

  'keys of encrypted titles are given to members alone': () => withMembers((server, players) => withPage(async (page) => {
    const { query, cookies, cookie } = signature(server, '/locked/*');
    const multivariant = `${server.base}/locked/film.set.json/index.m3u8`;
    const all = await walk([`${multivariant}${query}`], text);
    const isKey = (it) => !/\.(m3u8|mp4|m4s|vtt)$/.test(new URL(it).pathname);
    const keys = all.filter(isKey);
    assert.ok(keys.length > 0, all.join('\n'));
    for (const key of keys) assert.equal((await (await fetch(key)).arrayBuffer()).byteLength, 16, key);
    assert.deepEqual(await statuses(all), { 200: all.length });
    assert.deepEqual(await statuses(all.map(bare)), { 403: all.length });
    const { stderr } = await run('ffmpeg', ['-hide_banner', '-v', 'error', '-xerror', '-i', `${multivariant}${query}`, '-f', 'null', '-']);
    assert.equal(stderr, '');
    await playIn(page, players.url('hls', `${multivariant}${query}`), 2);
    await page.context().addCookies(cookies.map(([name, value]) => ({ name, value, url: server.base, httpOnly: true })));
    await playIn(page, players.url('hls', multivariant, { cookies: true }), 2);
    assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), []);
    assert.deepEqual(await statuses(keys.map(bare), { cookie }), { 200: keys.length });
    return `${all.length} URIs, ${keys.length} of keys`;
  })),

  'ffmpeg plays all of it by a signed URL': () => withMembers(async (server, _, media) => {
    const { query } = signature(server, '/members/*');
    // Each alone: where one ends, ffmpeg ends all of an MPD.
    const counted = (url) => Promise.all(['v:0', 'a:0', 'a:1'].map(async (stream) => {
      const { streams } = await ffprobe('-select_streams', stream, '-count_packets', '-show_entries', 'stream=nb_read_packets', url);
      return Number(streams[0].nb_read_packets);
    }));
    const expected = await counted(join(media, 'film_360.mp4'));
    // An MPD without subtitles: of the BaseURL of those it reads the ampersands twice, and fails.
    const played = ['film.set.json/index.m3u8', 'film_360.mp4/index-ts.m3u8', 'film_360.mp4/manifest.mpd'];
    for (const manifest of played) {
      const url = `${server.base}/members/${manifest}${query}`;
      if (!manifest.includes('-ts')) assert.deepEqual(await counted(url), expected, manifest);
      // It cannot seek in fragments of HLS, its own neither: it takes what comes for the rest of what it had begun to read.
      const seek = manifest.endsWith('/index.m3u8') ? [] : ['-ss', '10'];
      const { stderr } = await run('ffmpeg', ['-hide_banner', '-v', 'error', '-xerror', ...seek, '-i', url, '-f', 'null', '-']);
      assert.equal(stderr, '', manifest);
    }
    return `${expected} packets`;
  }),
};
