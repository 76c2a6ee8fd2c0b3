// Stored titles whose files are 50 ms away at nginx.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DELAY, roundTrips, withFar } from '../support/far.mjs';
import { pages, playIn, withPage } from '../support/players.mjs';
import { serve, sleep, until } from '../support/server.mjs';
import { ladder, withDirectory } from '../support/titles.mjs';

const ffmpeg = (directory, ...args) => execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { cwd: directory });

/** A film of a minute, and, made of it by repetition, of two hours, whose header has 5 MB. */
function twoHours(directory, height) {
  const width = 2 * Math.round(height * 8 / 9);
  const minute = `minute_${height}.mp4`;
  ffmpeg(directory, '-f', 'lavfi', '-i', `smptebars=size=${width}x${height}:rate=25:duration=60`, '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=60',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-g', '50', '-sc_threshold', '0', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '32k',
    '-movflags', '+faststart', minute);
  ffmpeg(directory, '-stream_loop', '119', '-i', minute, '-c', 'copy', `film_${height}.mp4`);
}

/** Runs `use` with a server that packages what is far. */
const withTitles = (make, use) => withDirectory(make, (media) => withFar(media, async (far) => {
  const server = await serve(`
[[origin]]
id = "far"
kind = "http"
domain_name = "127.0.0.1"
http_port = ${far.port}
origin_protocol_policy = "http-only"
[[origin]]
id = "titles"
kind = "vod"
source = "far"
[[distribution]]
id = "far"
aliases = ["127.0.0.1"]
default_behavior = { target_origin = "titles" }
`);
  try { return await use(server, far, media); } finally { await server.stop(); }
}));

async function text(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.text();
}

/** What a viewer asks who joins: playlists, the init segment, the first segment; gives all segments of the first variant. */
async function joined(base, title) {
  const uris = (playlist) => playlist.split('\n').filter((it) => it && !it.startsWith('#'));
  const multivariant = `${base}/${title}/index.m3u8`;
  const media = new URL(uris(await text(multivariant))[0], multivariant).href;
  const playlist = await text(media);
  await text(new URL(/#EXT-X-MAP:URI="([^"]+)"/.exec(playlist)[1], media).href);
  const segments = uris(playlist).map((it) => new URL(it, media).href);
  await text(segments[0]);
  return segments;
}

export const stories = {
  'the first segment of a cold title takes four round trips at most': () => withTitles((directory) => {
    const heights = [90, 144, 180];
    heights.forEach((height) => twoHours(directory, height));
    ffmpeg(directory, '-i', 'film_90.mp4', '-c', 'copy', '-movflags', '+faststart', 'front.mp4');
    writeFileSync(join(directory, 'film.set.json'), JSON.stringify({ renditions: heights.map((height) => ({ file: `film_${height}.mp4` })) }));
  }, async (server, far) => {
    const said = [];
    const cold = { 'film.set.json': 4, 'film_180.mp4': 3, 'front.mp4': 3, 'minute_90.mp4': 2 };
    for (const [title, most] of Object.entries(cold)) {
      far.asked.length = 0;
      await joined(server.base, title);
      const trips = roundTrips(far.asked);
      assert.ok(trips <= most, `${title}: ${trips} round trips:\n${far.asked.map((it) => `${it.path} ${it.range}`).join('\n')}`);
      said.push(`${title} ${trips} with ${far.asked.length} requests`);
    }
    return said.join(', ');
  }),

  'later segments are one conditional range each, also after a while': () => withTitles(ladder, async (server, far) => {
    const segments = await joined(server.base, 'film.set.json');
    // A file that was found is taken to be still that one for five seconds.
    await sleep(5_500);
    far.asked.length = 0;
    const wanted = segments.slice(1).flatMap((it) => [it, it.replace(/\/v\d\//, '/a1/')]);
    for (const url of wanted) assert.equal((await (await fetch(url)).arrayBuffer()).byteLength > 0, true, url);
    assert.equal(far.asked.length, wanted.length);
    for (const it of far.asked) assert.ok(it.status === 206 && it.condition && it.octets > 10_000, JSON.stringify(it));
    return `${wanted.length} segments, ${far.asked.length} requests, ${DELAY} ms each`;
  }),

  'hls.js plays it from the first second to the last': () => withTitles(ladder, async (server, far) => {
    const players = await pages();
    try {
      return await withPage(async (page) => {
        await playIn(page, players.url('hls', `${server.base}/film.set.json/index.m3u8`), 1);
        const opened = far.asked.filter((it) => !it.condition).length;
        await page.evaluate(() => { document.querySelector('video').playbackRate = 3; });
        await until('the end', () => page.evaluate(() => document.querySelector('video').ended), 30);
        assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), []);
        assert.ok(await page.evaluate(() => document.querySelector('video').currentTime) > 19.9);
        const segments = new Set(server.accessLog().map((it) => it.path).filter((it) => it.endsWith('.m4s')));
        assert.equal(far.asked.length, opened + 3 + segments.size, 'the set and its headers, and a request for each segment');
        return `${segments.size} segments, ${far.asked.length} requests`;
      });
    } finally { players.close(); }
  }),
};
