// Pages with a player each: hls.js, dash.js, Shaka and video.js, from an origin of their own, so that what they load is cross-origin.
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { ROOT } from './server.mjs';

/** How each plays `media`; with `cookies` it sends those along, as pages of another origin must ask for; keys are asked for at `license`. */
const PLAYERS = {
  hls: {
    script: 'hls.js/dist/hls.min.js',
    play: (media, cookies) => `
const player = new Hls({ xhrSetup: (xhr) => { xhr.withCredentials = ${cookies}; } });
player.on(Hls.Events.ERROR, (_, it) => note(it.fatal ? 'error' : 'warning', it.details + ' ' + (it.response && it.response.code)));
player.loadSource(${media});
player.attachMedia(video);`,
  },
  dash: {
    script: 'dashjs/dist/modern/umd/dash.all.min.js',
    play: (media, cookies, license) => `
const player = dashjs.MediaPlayer().create();
player.updateSettings({ streaming: { delay: { liveDelay: 3 } } });
player.on('error', (e) => note('error', JSON.stringify(e.error && e.error.message || e.error)));
player.on('playbackStalled', () => note('stalled'));
player.on('qualityChangeRendered', (e) => note('quality', e.mediaType));
player.setXHRWithCredentialsForType(null, ${cookies});
if (${license}) player.setProtectionData({ 'org.w3.clearkey': { serverURL: ${license} } });
player.initialize(video, ${media}, true);`,
  },
  shaka: {
    script: 'shaka-player/dist/shaka-player.compiled.js',
    play: (media, cookies, license) => `
shaka.polyfill.installAll();
const player = new shaka.Player();
if (${license}) player.configure({ drm: { servers: { 'org.w3.clearkey': ${license} } } });
player.getNetworkingEngine().registerRequestFilter((_, request) => { request.allowCrossSiteCredentials = ${cookies}; });
player.addEventListener('error', (e) => note('error', String(e.detail && e.detail.code) + ' ' + JSON.stringify(e.detail && e.detail.data)));
player.attach(video).then(() => player.load(${media})).then(() => video.play())
  .catch((e) => note('error', 'load ' + e.code + ' ' + JSON.stringify(e.data)));`,
  },
  videojs: {
    script: 'video.js/dist/video.min.js',
    // Chromium reads some HLS by itself, which is not what is asked here.
    play: (media, cookies) => `
const player = videojs(video, { html5: { vhs: { overrideNative: true, withCredentials: ${cookies} }, nativeAudioTracks: false, nativeVideoTracks: false, nativeTextTracks: false } });
player.on('error', () => note('error', player.error().code + ' ' + player.error().message));
player.src({ src: ${media}, type: ${media}.includes('.mpd') ? 'application/dash+xml' : 'application/x-mpegURL' });`,
  },
};

const page = ({ script, play }, media, cookies, license) => `<!doctype html><video id="v" muted autoplay></video><script src="/m/${script}"></script><script>
window.events = [];
const note = (kind, detail) => events.push({ kind, at: Math.round(performance.now()), detail });
const video = document.getElementById('v');
${play(JSON.stringify(media), cookies, JSON.stringify(license))}
window.player = player;
</script>`;

/** Serves the pages. */
export function pages() {
  return new Promise((done) => {
    const server = createServer((request, response) => {
      const url = new URL(request.url, 'http://x');
      const player = PLAYERS[url.pathname.slice(1)];
      if (player) {
        response.setHeader('content-type', 'text/html');
        response.end(page(player, url.searchParams.get('u'), url.searchParams.has('cookies'), url.searchParams.get('license')));
        return;
      }
      const file = join(ROOT, 'node_modules', url.pathname.replace(/^\/m\//, ''));
      if (!url.pathname.startsWith('/m/') || url.pathname.includes('..') || !existsSync(file)) { response.statusCode = 404; response.end(); return; }
      response.setHeader('content-type', 'text/javascript');
      createReadStream(file).pipe(response);
    }).listen(0, '127.0.0.1', () => {
      const origin = `http://127.0.0.1:${server.address().port}`;
      done({
        origin,
        url: (player, media, { cookies = false, license = '' } = {}) => `${origin}/${player}?u=${encodeURIComponent(media)}${cookies ? '&cookies' : ''}`
          + (license ? `&license=${encodeURIComponent(license)}` : ''),
        close: () => server.close(),
      });
    });
  });
}
