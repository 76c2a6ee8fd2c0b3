// Real players: those of web pages in Chromium, ffprobe, VLC.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { ROOT, background, freePort, sleep, until } from './server.mjs';

const run = promisify(execFile);

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required', '--mute-audio', '--ignore-certificate-errors'];

export async function withPage(use, options = {}, args = ARGUMENTS) {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ignoreHTTPSErrors: true, ...options });
    page.problems = [];
    page.on('pageerror', (error) => page.problems.push(error.message));
    return await use(page);
  } finally {
    await browser.close();
  }
}

/** What Chromium knows a certificate's key by. */
export function keyOf(certificate) {
  const pem = execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-pubkey']);
  return createHash('sha256').update(execFileSync('openssl', ['pkey', '-pubin', '-outform', 'DER'], { input: pem })).digest('base64');
}

/** For `withPage`: knows one name as this machine, and trusts no certificate but that of one key. */
export const trusting = (name, key) => [...ARGUMENTS.filter((it) => it !== '--ignore-certificate-errors'),
  // Where an origin is forced to HTTP/3, Chromium tries one address of its host.
  `--ignore-certificate-errors-spki-list=${key}`, `--host-resolver-rules=MAP ${name} 127.0.0.1`];

/** The same, speaking HTTP/3 there and nothing else. */
export const overHttp3 = (name, port, key) => [...trusting(name, key).filter((it) => it !== '--disable-quic'), '--enable-quic',
  `--origin-to-force-quic-on=${name}:${port}`];

/** What aioquic gets of a title from a name of ours, trusting one authority alone. */
export async function fetchOverHttp3(port, authority, name, path) {
  const python = join(ROOT, 'target/python/bin/python');
  const { stdout } = await run(python, [join(ROOT, 'tests/e2e/support/http3.py'), port, authority, name, path]);
  return JSON.parse(stdout);
}

/** What hls.js on the watch page says of itself. */
export const watched = (page) => page.evaluate(() => {
  const { hls, events } = window.levada;
  const video = document.querySelector('video');
  const ranges = [...Array(video.buffered.length).keys()].map((at) => [video.buffered.start(at), video.buffered.end(at)]);
  return {
    events, ranges, time: video.currentTime, paused: video.paused, width: video.videoWidth, height: video.videoHeight,
    latency: hls && hls.latency, behind: hls && hls.playingDate ? (Date.now() - hls.playingDate.getTime()) / 1000 : null,
    level: hls && hls.currentLevel, levels: hls ? hls.levels.length : 0, duration: video.duration,
    lowLatency: !!(hls && hls.latestLevelDetails && hls.latestLevelDetails.partList),
    message: document.getElementById('message').hidden ? '' : document.getElementById('sentence').textContent,
  };
});

/** Opens the watch page and waits for a moving picture. */
export async function watch(page, url, seconds = 30) {
  await page.goto(url);
  return until('a moving picture', async () => {
    const seen = await watched(page);
    if (seen.time > 0.3 && seen.width > 0 && !seen.paused) return seen;
    throw new Error(JSON.stringify({ ...seen, events: seen.events.slice(-8) }));
  }, seconds);
}

/** Stalls: waiting or stalled after playing had begun, and buffer errors. */
export const stalls = (seen, since = 0) => {
  const from = seen.events.findIndex((it) => it.kind === 'playing');
  return seen.events.slice(from + 1).filter((it) => it.at >= since
    && (it.kind === 'waiting' || (it.kind === 'error' && (it.fatal || it.details === 'bufferStalledError'))));
};

/** Plays an MPD or playlist on a page of a player until `seconds` of media have gone by, which may have no pictures. */
export async function playIn(page, url, seconds, { pictures = true } = {}) {
  await page.goto(url);
  const state = () => page.evaluate(() => {
    const video = document.querySelector('video');
    return { time: video.currentTime, width: video.videoWidth, events: window.events, duration: video.duration };
  });
  let first = null;
  await until(`${seconds} s of media`, async () => {
    const now = await state();
    if (first === null && now.time > 0 && (now.width > 0 || !pictures)) first = now.time;
    if (first !== null && now.time - first >= seconds) return true;
    throw new Error(JSON.stringify(now));
  }, seconds + 30);
  return state();
}

/** Listens from now on: `window.pitch()` is the loudest frequency of what is heard. */
export const listen = (page) => page.evaluate(async () => {
  const video = document.querySelector('video');
  const hearing = new AudioContext();
  const analyser = new AnalyserNode(hearing, { fftSize: 8192 });
  hearing.createMediaElementSource(video).connect(analyser);
  video.muted = false;
  await hearing.resume();
  window.pitch = () => {
    const loudness = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(loudness);
    const loudest = loudness.indexOf(Math.max(...loudness));
    return loudness[loudest] > -80 ? loudest * hearing.sampleRate / analyser.fftSize : 0;
  };
});

export async function ffprobe(...args) {
  const { stdout } = await run('ffprobe', ['-hide_banner', '-v', 'error', '-of', 'json', ...args], { maxBuffer: 64 << 20, timeout: 60_000 });
  return JSON.parse(stdout);
}

/** VLC reads for some seconds without a window and tells what it decoded. */
export async function vlc(url, seconds = 8) {
  const player = background('cvlc', ['-vv', '--no-color', '--intf', 'dummy', '--vout', 'dummy', '--aout', 'dummy', '--no-audio-time-stretch',
    '--run-time', String(seconds), '--play-and-exit', url, 'vlc://quit'],
  { uid: process.getuid() === 0 ? 65534 : undefined, env: { ...process.env, HOME: '/tmp' } });
  await Promise.race([player.ended, sleep((seconds + 20) * 1000)]);
  const output = player.output();
  await player.stop('SIGKILL');
  return output;
}

/** What GStreamer decodes of `url` from a second on, to its end. */
export async function gstreamer(url, from = 0) {
  // Debian's own Python has the bindings.
  const { stdout } = await run('/usr/bin/python3', [join(ROOT, 'tests/e2e/support/gst.py'), url, ...(from ? [String(from)] : [])], { timeout: 60_000 });
  return JSON.parse(stdout);
}

/** VLC plays some pictures, seeks, and plays to the end: what it had shown and played before and after, and where it was last. */
export async function vlcSeeks(url, second) {
  const port = await freePort();
  const player = background('cvlc', ['--no-color', '--extraintf', 'oldrc', '--rc-fake-tty', '--rc-host', `127.0.0.1:${port}`,
    '--vout', 'dummy', '--aout', 'dummy', '--play-and-exit', url], { uid: process.getuid() === 0 ? 65534 : undefined, env: { ...process.env, HOME: '/tmp' } });
  try {
    const console = await until('VLC', () => new Promise((done, fail) => {
      const socket = connect(port, '127.0.0.1', () => done(socket)).once('error', fail);
    }));
    let said = '';
    console.on('data', (it) => { said += it; });
    console.on('error', () => {});
    const seen = { video: 0, audio: 0 };
    let [last, before, ended] = [0, null, false];
    player.ended.then(() => { ended = true; });
    await until('the end in VLC', async () => {
      if (ended) return true;
      said = '';
      console.write('get_time\nstats\n');
      await sleep(200);
      const number = (pattern) => Number(pattern.exec(said)?.[1] ?? 0);
      last = Math.max(last, number(/^\D{0,3}(\d+)\r?$/m));
      seen.video = Math.max(seen.video, number(/frames displayed +: +(\d+)/));
      seen.audio = Math.max(seen.audio, number(/buffers played +: +(\d+)/));
      if (!before && seen.video > 20) {
        before = { ...seen };
        console.write(`seek ${second}\n`);
      }
      return false;
    }, 50);
    return { before, after: seen, last, ended };
  } finally { await player.stop('SIGKILL'); }
}

export { pages } from './pages.mjs';
export { run };
