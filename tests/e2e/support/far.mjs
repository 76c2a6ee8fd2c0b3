// nginx with files, and a way to it that takes 50 ms there and back, where everything asked is written down.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { background, freePort, sleep, until } from './server.mjs';

export const DELAY = 50;

/** Runs `use` beside an nginx that gives the files of `root` at `port`. */
async function withNginx(root, use) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-nginx-'));
  const port = await freePort();
  const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((it) => `${it}_temp_path ${directory}/temp;`).join(' ');
  mkdirSync(join(directory, 'temp'));
  writeFileSync(join(directory, 'nginx.conf'), `
daemon off; master_process off; pid ${directory}/pid; error_log stderr;
events {}
http { access_log off; ${bodies} server { listen 127.0.0.1:${port}; root ${root}; keepalive_requests 100000; } }
`);
  const nginx = background('nginx', ['-e', 'stderr', '-c', join(directory, 'nginx.conf')], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  try {
    await until('nginx', () => fetch(`http://127.0.0.1:${port}/`).then((it) => it.status > 0), 10).catch((error) => { throw new Error(`${error.message}\n${nginx.output()}`); });
    return await use(port);
  } finally {
    await nginx.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** How many of these were waited for one after the other: the longest row in which each began when the one before had ended. */
export function roundTrips(asked) {
  const rows = [];
  for (const it of [...asked].sort((a, b) => a.began - b.began)) {
    const before = rows.filter((row) => row.ended <= it.began).map((row) => row.length);
    rows.push({ ended: it.ended, length: 1 + Math.max(0, ...before) });
  }
  return Math.max(0, ...rows.map((it) => it.length));
}

/** Runs `use` with `port`, behind which the files of `root` are far away, and `asked`: each request for one of them. */
export const withFar = (root, use) => withNginx(root, async (near) => {
  const asked = [];
  const agent = new Agent({ keepAlive: true });
  const server = createServer(async (wanted, answer) => {
    const { method, url, headers } = wanted;
    const it = { method, path: url, range: headers.range, condition: headers['if-match'] ?? headers['if-range'], began: performance.now(), ended: Infinity };
    asked.push(it);
    await sleep(DELAY);
    const onward = request({ agent, port: near, method, path: url, headers }, (given) => {
      it.status = given.statusCode;
      it.octets = Number(given.headers['content-length']);
      answer.writeHead(given.statusCode, given.rawHeaders);
      given.pipe(answer);
      given.once('end', () => { it.ended = performance.now(); });
    });
    onward.once('error', () => answer.destroy());
    onward.end();
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  try { return await use({ port: server.address().port, asked }); } finally {
    server.closeAllConnections();
    server.close();
    agent.destroy();
  }
});
