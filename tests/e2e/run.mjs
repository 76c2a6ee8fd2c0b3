// Runs the stories: real encoders, real players, real signers against a real server.
//   node tests/e2e/run.mjs            all
//   node tests/e2e/run.mjs WORD…      those whose file or name holds one of the words
// LEVADA_E2E_SECONDS: how long players play (60). LEVADA_E2E_STRICT=1: stalls and delay fail a story, on a quiet machine.
import { readdirSync } from 'node:fs';

const words = process.argv.slice(2);
let passed = 0;
let failed = 0;
const directory = new URL('stories/', import.meta.url);
for (const file of readdirSync(directory).filter((it) => it.endsWith('.mjs')).sort()) {
  const { stories } = await import(new URL(file, directory));
  for (const [name, story] of Object.entries(stories)) {
    const title = `${file.replace('.mjs', '')}: ${name}`;
    if (words.length && !words.some((word) => title.includes(word))) continue;
    // Desktop programs under a virtual screen fail for reasons of their own now and then: a story is told twice at most,
    // and a second telling is said.
    for (const again of [false, true]) {
      const began = Date.now();
      const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s${again ? ', second telling' : ''}`;
      try {
        const note = await story();
        passed += 1;
        console.log(`ok    ${title} (${seconds()})${note ? `: ${note}` : ''}`);
        break;
      } catch (error) {
        if (again) failed += 1;
        console.log(`${again ? 'FAIL ' : 'again'} ${title} (${seconds()})\n${error.stack}`);
      }
    }
  }
}
console.log(`e2e: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
