// Plays /watch/{path} from /{path}/index.m3u8, live or on demand, and passes the page's own query (a signature) on.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const video = $('video');
  // One slash in front, however many came: with two, what follows would be another host, played under our name.
  const path = location.pathname.replace(/^\/watch\/+/, '/').replace(/\/+$/, '');
  const manifest = `${path}/index.m3u8${location.search}`;
  let name = path.slice(1);
  try { name = decodeURIComponent(name); } catch { /* It is not UTF-8: shown as it stands. */ }
  document.title = `${name} · Levada`;
  $('title').textContent = name;

  // For whoever drives the page from outside: the player, and what happened to it, in order.
  const watch = { hls: null, events: [] };
  window.levada = watch;
  const note = (kind, detail) => {
    if (watch.events.length < 2000) watch.events.push({ at: Math.round(performance.now()), kind, ...detail });
  };

  const say = (sentence, detail = '') => {
    $('message').hidden = !sentence;
    $('sentence').textContent = sentence;
    $('detail').textContent = detail;
  };
  const badge = (state, text) => {
    $('badge').dataset.state = state;
    $('badge').textContent = text;
  };

  let again = 0;
  const retry = (sentence, detail) => {
    say(sentence, detail);
    badge('wait', 'off air');
    clearTimeout(again);
    again = setTimeout(start, 3000);
  };

  const refused = (status) => {
    if (status === 403) {
      badge('wait', 'refused');
      say('This link is not valid, or not valid any more.', 'Ask whoever sent it to you for a new one.');
      return true;
    }
    return false;
  };

  const play = () => video.play().catch(() => { $('unmute').hidden = false; });

  function start() {
    clearTimeout(again);
    if (watch.hls) watch.hls.destroy();
    watch.hls = null;
    if (window.Hls && Hls.isSupported()) return startHls();
    // Only browsers without MediaSource and ManagedMediaSource come here: old iPhones, which play HLS themselves.
    if (video.canPlayType('application/vnd.apple.mpegurl')) {
      video.src = manifest;
      video.controls = true;
      video.onerror = () => retry('The stream cannot be played just now.', 'Trying again.');
      play();
      return undefined;
    }
    return say(window.Hls ? 'This browser cannot play the stream.' : 'The player is missing from this build.',
      window.Hls ? 'It has neither MediaSource nor HLS of its own.' : 'Run `npm ci` and build Levada again.');
  }

  function startHls() {
    const slow = (timeout) => ({
      default: {
        maxTimeToFirstByteMs: timeout, maxLoadTimeMs: timeout + 5000,
        timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
        errorRetry: { maxNumRetry: 3, retryDelayMs: 500, maxRetryDelayMs: 4000 },
      },
    });
    const hls = new Hls({
      lowLatencyMode: true,
      // A little faster than life until the live edge is as near as the playlist allows: nobody hears 8 %.
      maxLiveSyncPlaybackRate: 1.08,
      // What was played is left to the browser, which lets it go when it needs the room. hls.js, told to do it, forgets
      // which parts of the segment it is in the midst of it has loaded, and at that segment's end waits for them.
      backBufferLength: Infinity,
      // The first playlist is held until there is something to play, up to 12 s.
      manifestLoadPolicy: slow(15000),
      playlistLoadPolicy: slow(15000),
    });
    watch.hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
      say('');
      note('manifest', { levels: data.levels.length });
      rungs(hls);
      play();
    });
    hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
      badge(details.live ? 'live' : 'vod', details.live ? 'live' : 'on demand');
      video.controls = !details.live;
      if (!details.live && details.endSN !== undefined) note('ended-list', {});
    });
    hls.on(Hls.Events.FRAG_CHANGED, (_, { frag }) => note('frag', { sn: frag.sn, cc: frag.cc, level: frag.level }));
    hls.on(Hls.Events.ERROR, (_, data) => {
      const status = data.response && data.response.code;
      const why = data.error && data.error.message;
      note('error', { type: data.type, details: data.details, fatal: data.fatal, status, why });
      if (!data.fatal || refused(status)) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR) { hls.recoverMediaError(); return; }
      retry(status === 404 ? 'Nothing is on air here yet.' : 'The stream cannot be reached just now.',
        'This page goes on by itself as soon as it is.');
    });
    hls.loadSource(manifest);
    hls.attachMedia(video);
  }

  function rungs(hls) {
    const select = $('rung');
    $('rungs').hidden = hls.levels.length < 2;
    select.replaceChildren(new Option('Auto', -1), ...hls.levels.map((level, at) =>
      new Option(level.height ? `${level.height}p` : `${Math.round(level.bitrate / 1000)} kbit/s`, at)));
    select.onchange = () => { hls.nextLevel = Number(select.value); };
  }

  for (const kind of ['waiting', 'stalled', 'playing', 'seeking', 'seeked', 'ended', 'error']) {
    video.addEventListener(kind, () => note(kind, { time: video.currentTime }));
  }
  video.addEventListener('playing', () => {
    say('');
    $('unmute').hidden = !video.muted;
  });
  video.addEventListener('ended', () => { badge('wait', 'ended'); say('The broadcast is over.'); });
  $('unmute').addEventListener('click', () => {
    video.muted = false;
    $('unmute').hidden = true;
    play();
  });
  $('golive').addEventListener('click', () => {
    if (watch.hls && watch.hls.liveSyncPosition) video.currentTime = watch.hls.liveSyncPosition;
    play();
  });
  video.addEventListener('click', () => { if (!video.controls) { if (video.paused) play(); else video.pause(); } });

  setInterval(() => {
    const hls = watch.hls;
    const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
    $('buffer').textContent = `${Math.max(0, end - video.currentTime).toFixed(1)} s`;
    if (video.videoWidth) $('picture').textContent = `${video.videoWidth}×${video.videoHeight}`;
    const live = hls && hls.levels && hls.latestLevelDetails && hls.latestLevelDetails.live;
    const playingDate = hls && hls.playingDate;
    const delay = live && playingDate ? (Date.now() - playingDate.getTime()) / 1000 : 0;
    $('delay').textContent = delay > 0 && delay < 600 ? `${delay.toFixed(1)} s` : '–';
    $('golive').hidden = !(live && (video.paused || (hls.latency > hls.targetLatency + 4)));
  }, 500);

  addEventListener('pagehide', () => { if (watch.hls) watch.hls.destroy(); });
  addEventListener('pageshow', (event) => { if (event.persisted) start(); });
  start();
})();
