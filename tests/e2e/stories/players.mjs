// One title of three qualities with two languages of sound and of subtitles, in every player: from the beginning to the
// end, after a seek, and with all that a viewer may choose.
import assert from 'node:assert/strict';
import { gstreamer, listen, pages, playIn, vlcSeeks, withPage } from '../support/players.mjs';
import { serve, until } from '../support/server.mjs';
import { ladder, withDirectory } from '../support/titles.mjs';

const TITLE = '/vod/film.set.json';

/** What a viewer may choose, in each player's own words; `player` and `video` are those of the page. */
const CHOICES = {
  hls: {
    plays: ['index.m3u8'],
    rung: (height) => { player.currentLevel = player.levels.findIndex((it) => it.height === height); },
    sound: (language) => { player.audioTrack = player.audioTracks.findIndex((it) => it.lang === language); },
    words: (language) => { player.subtitleTrack = player.subtitleTracks.findIndex((it) => it.lang === language); player.subtitleDisplay = true; },
  },
  shaka: {
    plays: ['index.m3u8', 'manifest.mpd'],
    rung: (height) => {
      player.configure('abr.enabled', false);
      const { language } = player.getVariantTracks().find((it) => it.active);
      player.selectVariantTrack(player.getVariantTracks().find((it) => it.height === height && it.language === language), true);
    },
    sound: (language) => player.selectAudioTrack(player.getAudioTracks().find((it) => it.language === language)),
    words: (language) => { player.selectTextTrack(player.getTextTracks().find((it) => it.language === language)); player.setTextVisibility?.(true); },
  },
  dash: {
    plays: ['manifest.mpd'],
    rung: (height) => {
      player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } }, buffer: { fastSwitchEnabled: true } } });
      player.setRepresentationForTypeById('video', player.getRepresentationsByType('video').find((it) => it.height === height).id, true);
    },
    sound: (language) => player.setCurrentTrack(player.getTracksFor('audio').find((it) => it.lang === language)),
    words: (language) => { player.enableText(true); player.setTextTrack(player.getTracksFor('text').findIndex((it) => it.lang === language)); },
  },
  videojs: {
    plays: ['index.m3u8', 'manifest.mpd'],
    rung: (height) => { for (const it of player.qualityLevels().levels_) it.enabled = it.height === height; },
    sound: (language) => { for (const it of player.audioTracks().tracks_) it.enabled = it.language === language; },
    words: (language) => { for (const it of player.textTracks().tracks_) it.mode = it.language === language ? 'showing' : 'disabled'; },
  },
};

const withLadder = (seconds, use) => withDirectory((directory) => ladder(directory, seconds), async (media) => {
  const server = await serve('', { media });
  try { return await use(server, media); } finally { await server.stop(); }
});

/** Plays from the third second on, makes a choice, and waits until `check`, which says what it finds, finds what it should. */
async function sees(page, what, choose, check, expected) {
  await page.evaluate(() => { const video = document.querySelector('video'); video.currentTime = 2; video.play(); });
  await until(`it to play before ${what}`, () => page.evaluate(() => { const { currentTime } = document.querySelector('video'); return currentTime > 2.2 && currentTime < 10; }));
  await choose();
  await until(what, async () => {
    const found = await page.evaluate(check);
    if (expected(found)) return true;
    throw new Error(`${found}`);
  });
}

const lines = () => document.querySelector('video').videoHeight;
const pitch = () => window.pitch();
const words = () => {
  const tracks = window.player.textTracks ? window.player.textTracks().tracks_ : [...document.querySelector('video').textTracks];
  return tracks.filter((it) => it.mode === 'showing').flatMap((it) => Array.from(it.activeCues ?? [], (cue) => cue.text)).join();
};

/** Chooses everything in one player. */
async function chooses(player, manifest, server, players) {
  await withPage(async (page) => {
    const what = (choice) => `${choice} in ${player} of ${manifest}`;
    const choose = (choice, value) => () => page.evaluate(`{ const { player } = window; (${CHOICES[player][choice]})(${JSON.stringify(value)}); }`);
    await playIn(page, players.url(player, `${server.base}${TITLE}/${manifest}`), 1);
    await listen(page);
    for (const height of [180, 540, 360]) {
      await sees(page, what(`${height} lines`), choose('rung', height), lines, (it) => it === height);
    }
    for (const [language, hertz] of [['de', 880], ['en', 440]]) {
      await sees(page, what(`${hertz} Hz`), choose('sound', language), pitch, (it) => Math.abs(it - hertz) < 20);
    }
    for (const [language, word] of [['de', 'Wort'], ['en', 'word']]) {
      await sees(page, what(`words in ${language}`), choose('words', language), words, (it) => it.startsWith(word));
    }
    assert.deepEqual(await page.evaluate(() => window.events.filter((it) => it.kind === 'error')), [], what('errors'));
  });
}

const choosing = Object.fromEntries(Object.entries(CHOICES).map(([player, { plays }]) => [
  `qualities, sound and subtitles are chosen in ${player}`,
  // Longer than what players store: Shaka shows subtitles only once pictures come after them.
  () => withLadder(40, async (server) => {
    const players = await pages();
    try {
      for (const manifest of plays) await chooses(player, manifest, server, players);
      return plays.join(', ');
    } finally { players.close(); }
  }),
]));

const STREAMS = ['index.m3u8', 'index-ts.m3u8', 'manifest.mpd'];

export const stories = {
  ...choosing,

  'GStreamer plays to the end, from the beginning and after a seek': () => withLadder(20, async (server) => {
    const said = [];
    for (const manifest of STREAMS) {
      for (const from of [0, 12]) {
        const { error, video, audio } = await gstreamer(`${server.base}${TITLE}/${manifest}`, from);
        const what = `${manifest} from ${from} s: ${JSON.stringify({ error, video, audio })}`;
        assert.equal(error, null, what);
        // Twenty seconds of 25 pictures, and of 46.875 frames of sound, where a change of quality may cost a picture or two.
        assert.ok(video.count >= (20 - from) * 25 - 5 && video.last - video.first > 19.5 - from, what);
        assert.ok(audio.count >= (20 - from) * 46.875 - 5 && audio.last - audio.first > 19.5 - from, what);
        said.push(video.count);
      }
    }
    return `${said.join(', ')} pictures`;
  }),

  'VLC plays, seeks and ends': () => withLadder(20, async (server) => {
    const said = await Promise.all(STREAMS.map(async (manifest) => {
      const { before, after, last, ended } = await vlcSeeks(`${server.base}${TITLE}/${manifest}`, 13);
      const what = `${manifest}: ${JSON.stringify({ before, after, last, ended })}`;
      assert.ok(ended && last >= 18, what);
      // Seven seconds of 25 pictures, and of 46.875 frames of sound; those it has not shown when it ends it does not count.
      assert.ok(after.video - before.video > 120 && after.audio - before.audio > 250, what);
      return after.video;
    }));
    return `${said.join(', ')} pictures shown`;
  }),
};
