import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffprobe, pages, playIn, run, watch, watched, withPage } from '../support/players.mjs';
import { serve, sleep, until } from '../support/server.mjs';

/** Media made for these stories: B-frames and an edit list, a ladder of three, moov at the back. */
async function withMedia(use) {
  const media = mkdtempSync(join(tmpdir(), 'levada-media-'));
  const ffmpeg = (...args) => execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { cwd: media });
  const source = (size) => ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=30:duration=24`, '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=24'];
  const encode = (rate) => ['-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '3', '-b_strategy', '0', '-g', '60', '-sc_threshold', '0', '-pix_fmt', 'yuv420p', '-b:v', rate, '-c:a', 'aac'];
  ffmpeg(...source('640x360'), ...encode('500k'), 'film.mp4');
  ffmpeg(...source('320x180'), ...encode('200k'), 'film_180.mp4');
  ffmpeg(...source('640x360'), ...encode('500k'), '-movflags', '+faststart', 'film_360.mp4');
  ffmpeg(...source('960x540'), ...encode('1200k'), 'film_540.mp4');
  writeFileSync(join(media, 'film.set.json'), JSON.stringify({ renditions: ['film_180.mp4', 'film_360.mp4', 'film_540.mp4'].map((file) => ({ file })) }));
  writeFileSync(join(media, 'garbage.mp4'), Buffer.alloc(100_000, 0x41));
  const server = await serve('', { media });
  try { return await use(server, media); } finally {
    await server.stop();
    rmSync(media, { recursive: true, force: true });
  }
}

const lines = (text) => text.split('\n').filter((it) => it && !it.startsWith('#'));
const base = (url) => url.slice(0, url.lastIndexOf('/') + 1);

/** Segments of the first variant (and its init segment) of a multivariant playlist, as absolute URLs. */
async function segments(url) {
  const multivariant = await (await fetch(url)).text();
  const media = new URL(lines(multivariant)[0], url).href;
  const text = await (await fetch(media)).text();
  const init = new URL(/#EXT-X-MAP:URI="([^"]+)"/.exec(text)[1], media).href;
  return { init, media, all: lines(text).map((it) => new URL(it, media).href) };
}

const frames = async (url, stream) => {
  const probed = await ffprobe('-select_streams', stream, '-show_entries', 'packet=pts_time', url);
  return probed.packets.map((it) => Number(it.pts_time)).sort((a, b) => a - b);
};

/** A talk of 75 s with words beside it: one every ten seconds, and one that lasts from 25 to 65 s. */
function talk(media) {
  execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=15:duration=75',
    '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=75', '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '3', '-g', '30',
    '-pix_fmt', 'yuv420p', '-c:a', 'aac', 'talk.mp4'], { cwd: media });
  const cues = [...Array(7).keys()].map((n) => [10 * n + 1, 10 * n + 4, `word ${n}`]);
  cues.push([25, 65, 'all along']);
  const stamp = (it, point) => `00:${String(Math.floor(it / 60)).padStart(2, '0')}:${String(it % 60).padStart(2, '0')}${point}000`;
  const written = (point) => cues.map(([from, to, text]) => `${stamp(from, point)} --> ${stamp(to, point)}\n${text}\n`);
  writeFileSync(join(media, 'talk.en.vtt'), `WEBVTT\n\n${written('.').join('\n')}`);
  writeFileSync(join(media, 'talk.de.srt'), written(',').map((it, n) => `${n + 1}\r\n${it}`).join('\r\n').replaceAll('word', 'Wort gr\u00fcn'), 'latin1');
  return cues;
}

/** The cues of the text track whose cues hold `word`, once it has all of `count`. */
const cuesIn = (page, word, count) => until(`${count} cues`, async () => {
  const tracks = await page.evaluate(() => [...document.querySelector('video').textTracks].map((track) => ({
    all: [...track.cues ?? []].map((it) => [it.startTime, it.endTime, it.text]),
    active: [...track.activeCues ?? []].map((it) => it.text),
  })));
  const found = tracks.find((it) => it.all.some((cue) => cue[2].includes(word)));
  if (found && found.all.length >= count) return found;
  throw new Error(JSON.stringify(tracks));
});

const seekTo = (page, second) => page.evaluate((it) => { document.querySelector('video').currentTime = it; }, second);

/** Each cue that was seen is where it was written, and none is there twice. */
function atTheirTimes(seen, cues, by = 0.05) {
  const texts = seen.map((it) => it[2]);
  assert.equal(new Set(texts).size, texts.length, `twice: ${texts}`);
  for (const [from, to, text] of seen) {
    const cue = cues.find((it) => it[2] === text.replace('Wort gr\u00fcn', 'word'));
    assert.ok(Math.abs(cue[0] - from) <= by && Math.abs(cue[1] - to) <= by, `${text}: ${from} to ${to}`);
  }
}

export const stories = {
  'hls.js shows subtitles at their times, also after a seek': () => withMedia((server, media) => withPage(async (page) => {
    const cues = talk(media);
    await watch(page, `${server.base}/watch/vod/talk.mp4`);
    const names = await page.evaluate(() => window.levada.hls.subtitleTracks.map((it) => `${it.lang} ${it.name}`));
    assert.deepEqual(names, ['de Deutsch', 'en English']);
    await page.evaluate(() => { window.levada.hls.subtitleTrack = 1; window.levada.hls.subtitleDisplay = true; });
    await seekTo(page, 61.5);
    await until('the words of the moment', async () => {
      const { active } = await cuesIn(page, 'word', 2);
      if (active.includes('word 6') && active.includes('all along')) return true;
      throw new Error(active.join(', '));
    });
    await seekTo(page, 2);
    const { all } = await cuesIn(page, 'word', 8);
    atTheirTimes(all, cues);
    await page.evaluate(() => { window.levada.hls.subtitleTrack = 0; });
    atTheirTimes((await cuesIn(page, 'Wort gr\u00fcn', 4)).all, cues);
    assert.deepEqual((await watched(page)).events.filter((it) => it.kind === 'error' && it.fatal), []);
  })),

  'dash.js and Shaka offer subtitles and show them at their times': () => withMedia(async (server, media) => {
    const cues = talk(media);
    const players = await pages();
    try {
      await withPage(async (page) => {
        await playIn(page, players.url('dash', `${server.base}/vod/talk.mp4/manifest.mpd`), 1);
        const at = await page.evaluate(() => window.player.getTracksFor('text').findIndex((it) => it.lang === 'en'));
        await page.evaluate((it) => { window.player.enableText(true); window.player.setTextTrack(it); }, at);
        await cuesIn(page, 'word 0', 1);
        await seekTo(page, 61.5);
        atTheirTimes((await cuesIn(page, 'word 6', 2)).all, cues);
        assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), []);
      });
      for (const [kind, count] of [['manifest.mpd', 8], ['index.m3u8', 3]]) {
        await withPage(async (page) => {
          await playIn(page, players.url('shaka', `${server.base}/vod/talk.mp4/${kind}`), 1);
          const languages = await page.evaluate(() => window.player.getTextTracks().map((it) => `${it.language} ${it.label}`).sort());
          assert.deepEqual(languages, ['de Deutsch', 'en English'], kind);
          await page.evaluate(() => {
            const { player } = window;
            player.selectTextTrack(player.getTextTracks().find((it) => it.language === 'en'));
            player.setTextVisibility?.(true) ?? player.setTextTrackVisibility?.(true);
          });
          await seekTo(page, 61.5);
          atTheirTimes((await cuesIn(page, 'word', count)).all, cues);
          assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), [], kind);
        });
      }
    } finally { players.close(); }
  }),

  'ffmpeg reads the subtitles of a playlist': () => withMedia(async (server, media) => {
    talk(media);
    const title = `${server.base}/vod/talk.mp4`;
    const multivariant = await (await fetch(`${title}/index.m3u8`)).text();
    // It reads no subtitles of a multivariant playlist, but their own.
    const playlist = /LANGUAGE="en".*URI="([^"]+)"/.exec(multivariant)[1];
    const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', `${title}/${playlist}`, '-f', 'srt', '-']);
    assert.match(stdout, /00:00:01,000 --> 00:00:04,000\s+word 0/);
    assert.match(stdout, /00:01:01,000 --> 00:01:04,000\s+word 6/);
  }),

  'frame times equal those ffprobe reads from the source': () => withMedia(async (server, media) => {
    for (const kind of ['index.m3u8', 'manifest.mpd']) {
      for (const stream of ['v:0', 'a:0']) {
        const source = (await frames(join(media, 'film.mp4'), stream)).filter((it) => it >= 0);
        const served = (await frames(`${server.base}/vod/film.mp4/${kind}`, stream)).filter((it) => it >= -0.0005);
        const worst = Math.max(...source.slice(0, served.length).map((it, at) => Math.abs(it - served[at])));
        assert.ok(Math.abs(source.length - served.length) <= 1, `${kind} ${stream}: ${source.length} frames, served ${served.length}`);
        assert.ok(worst <= 0.001, `${kind} ${stream}: off by ${worst} s`);
      }
    }
  }),

  'hls.js plays and seeks a file': () => withMedia((server) => withPage(async (page) => {
    await watch(page, `${server.base}/watch/vod/film.mp4`);
    await page.evaluate(() => { document.querySelector('video').currentTime = 15; });
    await until('the seek', async () => (await watched(page)).time > 16);
    const seen = await watched(page);
    assert.deepEqual(seen.events.filter((it) => it.kind === 'error' && it.fatal), []);
    assert.ok(Math.abs(seen.duration - 24) < 0.1, `it lasts ${seen.duration} s`);
  })),

  'hls.js switches within a set of three': () => withMedia((server) => withPage(async (page) => {
    await watch(page, `${server.base}/watch/vod/film.set.json`);
    assert.equal((await watched(page)).levels, 3);
    for (const [level, height] of [[0, 180], [2, 540], [1, 360]]) {
      await page.evaluate((it) => { window.levada.hls.currentLevel = it; }, level);
      await until(`${height} lines`, async () => (await watched(page)).height === height);
    }
    await page.evaluate(() => { document.querySelector('video').currentTime = 20; });
    await until('the end', async () => (await watched(page)).time > 21);
  })),

  'dash.js plays, seeks and switches a set of three': () => withMedia(async (server) => {
    const players = await pages();
    try {
      await withPage(async (page) => {
        await playIn(page, players.url('dash', `${server.base}/vod/film.set.json/manifest.mpd`), 3);
        const height = () => page.evaluate(() => document.querySelector('video').videoHeight);
        await page.evaluate(() => window.player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } }, buffer: { fastSwitchEnabled: true } } }));
        for (const [at, lines] of [[0, 180], [2, 540]]) {
          await page.evaluate((it) => {
            const all = window.player.getRepresentationsByType('video').sort((a, b) => a.bandwidth - b.bandwidth);
            window.player.setRepresentationForTypeById('video', all[it].id, true);
          }, at);
          await until(`${lines} lines`, async () => (await height()) === lines);
        }
        await page.evaluate(() => window.player.seek(18));
        await until('the seek', () => page.evaluate(() => document.querySelector('video').currentTime > 19));
        assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), []);
      });
    } finally { players.close(); }
  }),

  'a thousand at once for one cold segment are one read': () => withMedia(async (server) => {
    const { all } = await segments(`${server.base}/vod/film.mp4/index.m3u8`);
    const reads = async () => Number(/levada_vod_reads_total (\d+)/.exec(await server.metrics())?.[1]);
    const fills = async () => Number(/levada_cache_fills_total (\d+)/.exec(await server.metrics())?.[1]);
    const before = [await reads(), await fills()];
    // curl, since Node's fetch opens no two hundred connections at once.
    const each = `curl -s --fail ${all[1]} | md5sum`;
    const { stdout } = await run('bash', ['-c', `seq 1000 | xargs -P 200 -I{} sh -c '${each}' | sort | uniq -c`]);
    const whole = Buffer.from(await (await fetch(all[1])).arrayBuffer());
    assert.deepEqual(stdout.trim().split(/\s+/).slice(0, 2), ['1000', createHash('md5').update(whole).digest('hex')]);
    const after = [await reads(), await fills()];
    assert.equal(after[1] - before[1], 1, 'one fill');
    return `${after[0] - before[0]} read(s) of the file`;
  }),

  'ranges are byte-exact': () => withMedia(async (server) => {
    const { all } = await segments(`${server.base}/vod/film.mp4/index.m3u8`);
    const get = async (range) => {
      const { stdout } = await run('curl', ['-s', ...(range ? ['-r', range] : []), all[0]], { encoding: 'buffer', maxBuffer: 64 << 20 });
      return stdout;
    };
    const whole = await get();
    for (const [range, from, to] of [['0-0', 0, 1], ['100-299', 100, 300], [`${whole.length - 5}-`, whole.length - 5, whole.length], ['-7', whole.length - 7, whole.length], ['50000-99999999', 50000, whole.length]]) {
      assert.deepEqual(await get(range), whole.subarray(from, to), range);
    }
    const beyond = await fetch(all[0], { headers: { range: `bytes=${whole.length}-` } });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers.get('content-range'), `bytes */${whole.length}`);
    const several = await fetch(all[0], { headers: { range: 'bytes=0-9,1000-1009' } });
    assert.equal(several.status, 206);
    const text = Buffer.from(await several.arrayBuffer());
    assert.match(several.headers.get('content-type'), /^multipart\/byteranges; boundary=/);
    assert.ok(text.includes(whole.subarray(0, 10)) && text.includes(whole.subarray(1000, 1010)));
    const etag = (await fetch(all[0])).headers.get('etag');
    assert.equal((await fetch(all[0], { headers: { 'if-none-match': etag } })).status, 304);
    assert.equal((await fetch(all[0], { headers: { range: 'bytes=0-9', 'if-range': '"other"' } })).status, 200);
  }),

  'a garbage file is an error in a sentence, and others play on': () => withMedia(async (server) => {
    const answer = await fetch(`${server.base}/vod/garbage.mp4/index.m3u8`);
    assert.ok(answer.status >= 400 && answer.status < 600, `${answer.status}`);
    assert.match(server.output(), /garbage\.mp4/);
    assert.equal((await fetch(`${server.base}/vod/film.mp4/index.m3u8`)).status, 200);
    assert.equal((await fetch(`${server.base}/vod/missing.mp4/index.m3u8`)).status, 404);
    assert.equal((await fetch(`${server.base}/vod/%2e%2e/%2e%2e/etc/passwd/index.m3u8`)).status >= 400, true);
    await sleep(10);
  }),
};
