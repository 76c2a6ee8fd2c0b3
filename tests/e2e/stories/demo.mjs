import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { stalls, watch, watched, withPage } from '../support/players.mjs';
import { BINARY, background, sleep, until } from '../support/server.mjs';

const leftovers = () => readdirSync(tmpdir()).filter((it) => it.startsWith('levada-demo-'));

export const stories = {
  'the demo plays its sample through a signed link, over HTTP/1.1 and HTTP/2': async () => {
    const before = leftovers();
    const counted = [];
    const demo = background(BINARY, ['demo', '--headless']);
    try {
      const link = (name) => new RegExp(`^${name} +(\\S+)`, 'm').exec(demo.output())?.[1];
      await until('the links', () => link('Control'), 10);
      assert.match(link('Watch'), /Policy=.*&Signature=.*&Key-Pair-Id=/);
      for (const name of ['Watch', 'HTTP/2', 'Film']) {
        await withPage(async (page) => {
          await watch(page, link(name));
          const begun = await page.evaluate(() => performance.now());
          await sleep(8000);
          const seen = await watched(page);
          assert.ok(seen.time > 5, `${name}: ${seen.time} s`);
          counted.push(`${name} ${stalls(seen, begun + 2000).length} stalls`);
        });
      }
      const unsigned = await fetch(link('HLS').split('?')[0]);
      assert.equal(unsigned.status, 403);
      await withPage(async (page) => {
        await page.goto(link('Control'));
        const shown = ['live/demo', '640×360', 'rtmp://localhost', 'demo-obs-key'];
        await until('the broadcast and what to tell OBS', () => page.evaluate((all) => all.every((it) => document.body.innerText.includes(it)), shown));
        assert.equal(await page.evaluate(() => location.hash), '', 'the token does not stay in the address bar');
      });
    } finally {
      assert.equal(await demo.stop('SIGINT'), 0);
      assert.doesNotMatch(demo.output(), /again in/, 'its own end is no loss');
    }
    assert.deepEqual(leftovers(), before, 'nothing is left behind');
    return counted.join(', ');
  },
};
