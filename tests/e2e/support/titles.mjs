// Stored titles for stories.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A ladder of three with two languages of sound and of subtitles: `film.set.json`. */
export function ladder(directory, seconds = 20) {
  const ffmpeg = (...args) => execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { cwd: directory });
  const tone = (hertz) => ['-f', 'lavfi', '-i', `sine=frequency=${hertz}:sample_rate=48000:duration=${seconds}`];
  const sizes = { 180: [320, '200k'], 360: [640, '600k'], 540: [960, '1200k'] };
  for (const [height, [width, rate]] of Object.entries(sizes)) {
    ffmpeg('-f', 'lavfi', '-i', `testsrc2=size=${width}x${height}:rate=25:duration=${seconds}`, ...tone(440), ...tone(880), '-map', '0:v', '-map', '1:a', '-map', '2:a',
      '-metadata:s:a:0', 'language=eng', '-metadata:s:a:1', 'language=deu', '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-b_strategy', '0',
      '-g', '50', '-sc_threshold', '0', '-pix_fmt', 'yuv420p', '-b:v', rate, '-c:a', 'aac', '-b:a', '64k', `film_${height}.mp4`);
  }
  const words = { en: 'word', de: 'Wort' };
  for (const [language, word] of Object.entries(words)) {
    const cues = [...Array(seconds / 2).keys()].map((n) => `00:${String(2 * n).padStart(2, '0')}.000 --> 00:${String(2 * n + 1).padStart(2, '0')}.500\n${word} ${n}\n`);
    writeFileSync(join(directory, `film.${language}.vtt`), `WEBVTT\n\n${cues.join('\n')}`);
  }
  writeFileSync(join(directory, 'film.set.json'), JSON.stringify({
    renditions: Object.keys(sizes).map((height) => ({ file: `film_${height}.mp4` })),
    subtitles: Object.keys(words).map((language) => ({ file: `film.${language}.vtt`, language })),
  }));
}

/** Runs `use` with a directory in which `make` has put media. */
export async function withDirectory(make, use) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-titles-'));
  try {
    make(directory);
    return await use(directory);
  } finally { rmSync(directory, { recursive: true, force: true }); }
}
