// How long `levada demo` takes from the process start to the first picture in Chromium. The browser stands ready, as a
// user's does; the page is opened as soon as its link is printed. Prints a row for the table of scripts/bench.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { withPage } from '../tests/e2e/support/players.mjs';
import { BINARY } from '../tests/e2e/support/server.mjs';

const ROUNDS = Number(process.env.LEVADA_BENCH_ROUNDS ?? 5);

/** Runs in the page: the wall clock when the first picture stood on the screen. */
const picture = () => new Promise((done) => {
  const video = document.querySelector('video');
  video.requestVideoFrameCallback((now) => done(performance.timeOrigin + now));
});

async function round(page) {
  const began = Date.now();
  const demo = spawn(BINARY, ['demo', '--headless'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => demo.once('exit', done));
  try {
    for await (const line of createInterface({ input: demo.stdout })) {
      const link = line.match(/Watch\s.*?(http\S+)/)?.[1];
      if (!link) continue;
      await page.goto(link, { waitUntil: 'commit' });
      await page.waitForSelector('video', { state: 'attached' });
      return (await page.evaluate(picture)) - began;
    }
    throw new Error('levada demo printed no link');
  } finally {
    await page.goto('about:blank');
    demo.kill();
    await ended;
  }
}

await withPage(async (page) => {
  const times = [];
  for (let at = 0; at < ROUNDS; at += 1) times.push(await round(page));
  times.sort((a, b) => a - b);
  const seconds = (it) => (it / 1000).toFixed(2);
  console.log(`| \`levada demo\` to its first picture | ${seconds(times[Math.floor(times.length / 2)])} s (${seconds(times[0])} to ${seconds(times.at(-1))}) | – | 3 s |`);
});
