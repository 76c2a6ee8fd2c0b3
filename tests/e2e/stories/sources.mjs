import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffprobe, listen, pages, playIn, run, watch, watched, withPage } from '../support/players.mjs';
import { ROOT, serve, until } from '../support/server.mjs';

const picture = (rate, seconds = 13) => ['-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=${rate}:duration=${seconds}`];
const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000:duration=13'];
const x264 = (...more) => ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '48', '-sc_threshold', '0', ...more];
const x265 = (more = '') => ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', `log-level=none:keyint=50${more}`];
const aac = ['-c:a', 'aac', '-b:a', '64k'];
const HDR = ':colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400';

/** Sound of HE-AAC, which ffmpeg cannot encode. */
const he = (name) => join(ROOT, 'tests/media', name);

/** The same frames where their configuration says nothing of what stands beside the core. */
function withoutWord(file) {
  const octets = readFileSync(file);
  const [explicit, core] = ['2b118800', '13100000'].map((it) => Buffer.from(it, 'hex'));
  core.copy(octets, octets.indexOf(explicit));
  writeFileSync(file, octets);
}

/** Files as encoders, cameras and recorders leave them: what makes each, and what is said of it in the playlist. */
const SOURCES = {
  'film.mp4': { make: [...picture('24000/1001'), ...tone, ...x264('-bf', '3', '-b_strategy', '0'), ...aac], says: 'avc1' },
  'front.mp4': { make: [...picture(25), ...tone, ...x264(), ...aac, '-movflags', '+faststart'], says: 'avc1' },
  'fragments.mp4': { make: [...picture('30000/1001'), ...tone, ...x264('-bf', '2'), ...aac, '-movflags', 'frag_keyframe+empty_moov+default_base_moof'], says: 'avc1' },
  'fast.mp4': { make: [...picture(50), ...tone, ...x264('-bf', '2'), ...aac], says: 'FRAME-RATE=50.000' },
  'variable.mp4': { make: [...picture(30), ...tone, '-vf', "select='not(eq(mod(n,5),3))'", '-fps_mode', 'vfr', ...x264('-bf', '1'), ...aac], says: 'avc1' },
  'late.mp4': { make: [...picture(25), '-itsoffset', '0.7', ...tone, ...x264('-bf', '2'), ...aac], says: 'avc1' },
  'turned.mov': { make: [...picture(25), ...tone, ...x264(), ...aac], turn: 90, says: 'RESOLUTION=180x320' },
  'hdr.mp4': { make: [...picture(25), ...tone, ...x265(HDR), '-pix_fmt', 'yuv420p10le', '-tag:v', 'hvc1', '-c:a', 'eac3'], says: 'VIDEO-RANGE=PQ' },
  'hev1.mp4': { make: [...picture(25), ...tone, ...x265(':bframes=3'), '-tag:v', 'hev1', '-c:a', 'ac3'], says: 'hvc1.1.6.L60.90,ac-3' },
  'av1.mp4': { make: [...picture(25), ...tone, '-c:v', 'libsvtav1', '-preset', '12', '-g', '50', '-c:a', 'libopus'], says: 'av01.0.00M.08,opus' },
  'vp9.mp4': { make: [...picture(25), ...tone, '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-g', '50', '-c:a', 'flac', '-strict', '-2'], says: 'vp09.00.11.08.01.02.02.02.00,fLaC' },
  'mp3.mp4': { make: [...picture(25), ...tone, ...x264(), '-c:a', 'libmp3lame'], says: 'mp4a.40.34' },
  'long.mp4': { make: [...picture(25, 120), ...x264()], streams: ['v:0'], says: 'avc1' },
  'he.m4a': { make: ['-i', he('he-aac.m4a'), '-c', 'copy'], streams: ['a:0'], says: 'mp4a.40.5' },
  'he-v2.m4a': { make: ['-i', he('he-aac-v2.m4a'), '-c', 'copy'], streams: ['a:0'], says: 'mp4a.40.29' },
  'he-film.mp4': { make: [...picture(25), '-i', he('he-aac.m4a'), ...x264('-bf', '2'), '-c:a', 'copy'], says: 'mp4a.40.5' },
  'he-unsaid.m4a': { make: ['-i', he('he-aac.m4a'), '-c', 'copy'], mend: withoutWord, streams: ['a:0'], says: 'mp4a.40.2' },
  'sound.m4a': { make: [...tone, '-ac', '2', ...aac], streams: ['a:0'], says: 'mp4a.40.2' },
};

async function withSources(names, use) {
  const media = mkdtempSync(join(tmpdir(), 'levada-sources-'));
  const ffmpeg = (...args) => execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { cwd: media, stdio: 'ignore' });
  for (const name of names) {
    const { make, turn, mend } = SOURCES[name];
    ffmpeg(...make, turn ? `straight-${name}` : name);
    if (turn) ffmpeg('-i', `straight-${name}`, '-c', 'copy', '-metadata:s:v:0', `rotate=${turn}`, name);
    mend?.(join(media, name));
  }
  const server = await serve('', { media });
  try { return await use(server, media); } finally {
    await server.stop();
    rmSync(media, { recursive: true, force: true });
  }
}

/** When each packet of a stream is presented, from the presentation's first moment on. */
async function times(url, stream) {
  const { packets } = await ffprobe('-select_streams', stream, '-show_entries', 'packet=pts_time', url);
  return packets.map((it) => Number(it.pts_time)).filter((it) => it >= 0).sort((a, b) => a - b);
}

const playable = ['av1.mp4', 'vp9.mp4', 'fragments.mp4', 'turned.mov'];

export const stories = {
  'frame times of files of every kind are those of the file': () => withSources(Object.keys(SOURCES), async (server, media) => {
    let packets = 0;
    for (const [name, { says, streams = ['v:0', 'a:0'] }] of Object.entries(SOURCES)) {
      const playlist = await (await fetch(`${server.base}/vod/${name}/index.m3u8`)).text();
      assert.ok(playlist.includes(says), `${name}: ${playlist}`);
      for (const stream of streams) {
        const expected = await times(join(media, name), stream);
        for (const kind of ['index.m3u8', 'manifest.mpd']) {
          const served = await times(`${server.base}/vod/${name}/${kind}`, stream);
          assert.deepEqual(served, expected, `${name} ${stream} ${kind}`);
          packets += served.length;
        }
      }
    }
    return `${Object.keys(SOURCES).length} files, ${packets} packets`;
  }),

  'hls.js plays what Chromium decodes': () => withSources(playable, (server) => withPage(async (page) => {
    for (const name of playable) {
      await watch(page, `${server.base}/watch/vod/${name}`);
      await page.evaluate(() => { document.querySelector('video').currentTime = 9; });
      await until(`the seek in ${name}`, async () => (await watched(page)).time > 9.5);
      const seen = await watched(page);
      assert.deepEqual(seen.events.filter((it) => it.kind === 'error' && it.fatal), [], name);
      if (name === 'turned.mov') assert.deepEqual([seen.width, seen.height], [180, 320]);
    }
  })),

  'players of web pages play sound alone, and pictures of varying rate': () => withSources(['sound.m4a', 'variable.mp4', 'late.mp4'], async (server) => {
    const players = await pages();
    try {
      await withPage(async (page) => {
        for (const [player, manifest] of [['hls', 'index.m3u8'], ['hls', 'index-ts.m3u8'], ['videojs', 'index.m3u8'], ['dash', 'manifest.mpd'], ['shaka', 'manifest.mpd'], ['shaka', 'index.m3u8']]) {
          for (const name of ['sound.m4a', 'variable.mp4', 'late.mp4']) {
            const what = `${name} by ${player} of ${manifest}`;
            await playIn(page, players.url(player, `${server.base}/vod/${name}/${manifest}`), 0.5, { pictures: name !== 'sound.m4a' });
            await listen(page);
            await page.evaluate(() => { document.querySelector('video').currentTime = 9; });
            await until(`the tone of ${what}`, () => page.evaluate(() => document.querySelector('video').currentTime > 9.5 && Math.abs(window.pitch() - 440) < 12));
            assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), [], what);
          }
        }
      });
    } finally { players.close(); }
  }),

  'Shaka plays them and scrubs by key frames': () => withSources(['long.mp4'], async (server) => {
    const players = await pages();
    try {
      for (const manifest of ['long.mp4/index.m3u8', 'long.mp4/manifest-trick.mpd']) {
        await withPage(async (page) => {
          await playIn(page, players.url('shaka', `${server.base}/vod/${manifest}`), 2);
          const scrubbed = await page.evaluate(async () => {
            const asked = performance.getEntriesByType('resource').length;
            window.player.trickPlay(4);
            await new Promise((done) => { setTimeout(done, 2000); });
            const names = performance.getEntriesByType('resource').slice(asked).map((it) => it.name);
            const { currentTime } = document.querySelector('video');
            window.player.cancelTrickPlay();
            return { keys: names.filter((it) => /\/i\d+\.m4s/.test(it)).length, currentTime };
          });
          assert.ok(scrubbed.keys > 0, `${manifest}: it asked for key frames alone: ${JSON.stringify(scrubbed)}`);
          assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), []);
        });
      }
    } finally { players.close(); }
  }),

  'transport streams have the frame times of the file, and play': () => withSources(['film.mp4', 'fragments.mp4', 'mp3.mp4', 'late.mp4', 'sound.m4a', 'he-film.mp4', 'he-v2.m4a', 'av1.mp4'], async (server, media) => {
    // Presentations begin at ten seconds there, so that what is decoded before has a time, too.
    const OFFSET = 10;
    for (const name of ['film.mp4', 'fragments.mp4', 'mp3.mp4', 'late.mp4', 'sound.m4a', 'he-film.mp4', 'he-v2.m4a']) {
      const url = `${server.base}/vod/${name}/index-ts.m3u8`;
      for (const stream of SOURCES[name].streams ?? ['v:0', 'a:0']) {
        const served = (await times(url, stream)).map((it) => it - OFFSET).filter((it) => it > -1e-5);
        const expected = await times(join(media, name), stream);
        // What lies a hair before the first moment by one count may lie after it by the other; and of sound alone ffprobe gives
        // one frame no time, at the end of the first packets that it probes.
        assert.ok(Math.abs(served.length - expected.length) <= 2, `${name} ${stream}: ${served.length}, not ${expected.length}`);
        let at = 0;
        for (const time of served) {
          while (expected[at] < time - 1 / 90_000) at += 1;
          assert.ok(Math.abs(expected[at] - time) <= 1 / 90_000, `${name} ${stream}: ${time} is not in the file`);
        }
      }
      const { stderr } = await run('ffmpeg', ['-hide_banner', '-loglevel', 'warning', '-i', url, '-f', 'null', '-']);
      assert.equal(stderr, '', name);
      const variant = new URL((await (await fetch(url)).text()).trim().split('\n').at(-1), url).href;
      const segment = new URL('0.ts', variant).href;
      const head = await fetch(segment, { method: 'HEAD' });
      const body = Buffer.from(await (await fetch(segment)).arrayBuffer());
      assert.deepEqual([Number(head.headers.get('content-length')), head.headers.get('content-type'), body.length % 188], [body.length, 'video/mp2t', 0]);
    }
    assert.equal((await fetch(`${server.base}/vod/av1.mp4/index-ts.m3u8`)).status, 415);
    await withPage(async (page) => {
      await watch(page, `${server.base}/watch/vod/film.mp4`);
      await page.evaluate((url) => { window.levada.hls.loadSource(url); }, `${server.base}/vod/film.mp4/index-ts.m3u8`);
      await until('the transport stream', async () => page.evaluate(() => window.levada.hls.levels.some((it) => it.url.some((url) => url.endsWith('index-ts.m3u8')))));
      await page.evaluate(() => { const video = document.querySelector('video'); video.currentTime = 8; video.play(); });
      await until('the seek', async () => (await watched(page)).time > 9);
      assert.deepEqual((await watched(page)).events.filter((it) => it.kind === 'error' && it.fatal), []);
    });
  }),

  'HE-AAC is said to be that, and heard at its full rate': () => withSources(['he.m4a', 'he-v2.m4a', 'he-film.mp4', 'he-unsaid.m4a'], async (server) => {
    const words = { 'he.m4a': ['2b118800', 'HE-AAC'], 'he-v2.m4a': ['eb098800', 'HE-AACv2'], 'he-unsaid.m4a': ['13100000', 'HE-AAC'] };
    for (const [name, [config, profile]] of Object.entries(words)) {
      const base = `${server.base}/vod/${name}`;
      const mpd = await (await fetch(`${base}/manifest.mpd`)).text();
      const init = Buffer.from(await (await fetch(`${base}/${/initialization="([^"]+)"/.exec(mpd)[1].replace('$RepresentationID$', 'a0')}`)).arrayBuffer());
      assert.ok(init.includes(Buffer.from(`05${(config.length / 2).toString(16).padStart(2, '0')}${config}`, 'hex')), `${name}: its configuration is the file's`);
      // What says nothing of the tool beside its core is described by its core.
      assert.ok(mpd.includes(`audioSamplingRate="${name === 'he-unsaid.m4a' ? 24000 : 48000}"`) && /ChannelConfiguration" value="2"/.test(mpd), mpd);
      for (const manifest of ['index.m3u8', 'index-ts.m3u8', 'manifest.mpd']) {
        const { streams } = await ffprobe('-show_entries', 'stream=profile,sample_rate,channels', `${base}/${manifest}`);
        assert.deepEqual([streams[0].profile, streams[0].sample_rate, streams[0].channels], [profile, '48000', 2], `${name} ${manifest}`);
      }
      const multivariant = `${base}/index-ts.m3u8`;
      const media = new URL((await (await fetch(multivariant)).text()).trim().split('\n').at(-1), multivariant).href;
      const packets = Buffer.from(await (await fetch(new URL('0.ts', media))).arrayBuffer());
      // Low complexity at 24 kHz, of two channels or one.
      assert.ok(packets.includes(Buffer.from(name === 'he-v2.m4a' ? 'fff15840' : 'fff15880', 'hex')), `${name}: ADTS names the core`);
    }
    const players = await pages();
    try {
      await withPage(async (page) => {
        for (const [player, manifest] of [['hls', 'index.m3u8'], ['hls', 'index-ts.m3u8'], ['dash', 'manifest.mpd'], ['shaka', 'manifest.mpd']]) {
          for (const name of ['he-film.mp4', 'he-v2.m4a', 'he-unsaid.m4a']) {
            const what = `${name} by ${player} of ${manifest}`;
            await playIn(page, players.url(player, `${server.base}/vod/${name}/${manifest}`), 0.5, { pictures: name === 'he-film.mp4' });
            await listen(page);
            await until(`the tones of ${what}`, () => page.evaluate(() => [440, 550].some((it) => Math.abs(window.pitch() - it) < 12)));
            assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), [], what);
          }
        }
      });
    } finally { players.close(); }
  }),

  'ffmpeg decodes all of it without a complaint': () => withSources(['film.mp4', 'hdr.mp4', 'av1.mp4', 'variable.mp4'], async (server) => {
    for (const name of ['film.mp4', 'hdr.mp4', 'av1.mp4', 'variable.mp4']) {
      const { stderr } = await run('ffmpeg', ['-hide_banner', '-loglevel', 'warning', '-i', `${server.base}/vod/${name}/index.m3u8`, '-f', 'null', '-']);
      assert.equal(stderr, '', name);
    }
  }),
};
