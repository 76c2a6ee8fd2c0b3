import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KEYS, withBuckets } from '../support/bucket.mjs';
import { ffprobe, run } from '../support/players.mjs';
import { serve } from '../support/server.mjs';

/** A film, the same as an HLS presentation, and a name that needs care. */
function media() {
  const directory = mkdtempSync(join(tmpdir(), 'levada-media-'));
  const ffmpeg = (...args) => execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { cwd: directory });
  ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30:duration=12', '-f', 'lavfi', '-i', 'sine=frequency=440:duration=12',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-b:v', '4M', '-g', '60', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-movflags', '+faststart', 'film.mp4');
  mkdirSync(join(directory, 'hls'));
  ffmpeg('-i', 'film.mp4', '-c', 'copy', '-f', 'hls', '-hls_time', '2', '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4', 'hls/index.m3u8');
  writeFileSync(join(directory, 'a+b (ü).bin'), 'with care');
  return directory;
}

const bucket = (url, endpoint, more = '') => `
[[origin]]
id = "bucket"
kind = "bucket"
url = "${url}"
endpoint = "${endpoint}"
${more}
[[distribution]]
id = "store"
aliases = ["127.0.0.1"]
default_behavior = { target_origin = "bucket" }
behavior = [{ path_pattern = "/packaged/*", target_origin = "titles" }]
[[origin]]
id = "titles"
kind = "vod"
source = "bucket"
`;

const octets = async (url, headers = {}) => {
  const answer = await fetch(url, { headers });
  return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
};

export const stories = {
  'a bucket of S3 is read with signatures, and players read through it': async () => {
    const directory = media();
    try {
      return await withBuckets(async (store) => {
        await store.put(directory, 'films', 'shelf one/');
        assert.equal((await fetch(`${store.endpoint}/films/shelf%20one/film.mp4`)).status, 403, 'anonymous reads are refused');

        const server = await serve(bucket('s3://films/shelf one', store.endpoint), { env: KEYS });
        try {
          const film = readFileSync(join(directory, 'film.mp4'));
          const first = await octets(`${server.base}/film.mp4`);
          assert.equal(first.status, 200, first.body.toString());
          assert.ok(first.body.equals(film), 'the octets are those of the file');
          const hit = await octets(`${server.base}/film.mp4`, { range: 'bytes=1000-1999' });
          assert.equal(hit.status, 206);
          assert.ok(hit.body.equals(film.subarray(1000, 2000)));
          assert.match(hit.headers.get('x-cache'), /^Hit/);
          assert.equal((await octets(`${server.base}/a+b%20(%C3%BC).bin`)).body.toString(), 'with care');
          assert.equal((await fetch(`${server.base}/`)).status, 404, 'a bucket does not list itself');
          assert.ok([403, 404].includes((await fetch(`${server.base}/none.mp4`)).status));

          const counted = async (url) => {
            const probed = await ffprobe('-count_packets', '-show_entries', 'stream=codec_type,nb_read_packets', url);
            return probed.streams.map((it) => `${it.codec_type} ${it.nb_read_packets}`).sort().join(', ');
          };
          const expected = await counted(join(directory, 'film.mp4'));
          for (const name of ['film.mp4', 'hls/index.m3u8']) assert.equal(await counted(`${server.base}/${name}`), expected, name);
          // What is packaged from it as it is asked for is the same.
          for (const name of ['index.m3u8', 'manifest.mpd']) assert.equal(await counted(`${server.base}/packaged/film.mp4/${name}`), expected, name);
          await run('ffmpeg', ['-v', 'error', '-xerror', '-i', `${server.base}/hls/index.m3u8`, '-f', 'null', '-']);
          return `ffprobe read ${expected} from ${film.length} octets`;
        } finally { await server.stop(); }
      });
    } finally { rmSync(directory, { recursive: true, force: true }); }
  },

  'a bucket is asked with keys of a file, and refuses others': async () => {
    const directory = mkdtempSync(join(tmpdir(), 'levada-media-'));
    writeFileSync(join(directory, 'a.txt'), 'stone');
    const keys = (secret) => {
      const file = join(directory, `${secret.length}.ini`);
      writeFileSync(file, `[films]\naws_access_key_id = ${KEYS.AWS_ACCESS_KEY_ID}\naws_secret_access_key = ${secret}\n`);
      return `credentials = { file = "${file}", profile = "films" }`;
    };
    try {
      await withBuckets(async (store) => {
        await store.put(directory, 'notes');
        for (const [secret, status] of [[KEYS.AWS_SECRET_ACCESS_KEY, 200], ['another', 403]]) {
          const server = await serve(bucket('s3://notes', store.endpoint, keys(secret)));
          try {
            assert.equal((await fetch(`${server.base}/a.txt`)).status, status);
          } finally { await server.stop(); }
        }
      });
    } finally { rmSync(directory, { recursive: true, force: true }); }
  },

  'a directory of files is given as it is': async () => {
    const directory = media();
    try {
      const server = await serve(`
[[origin]]
id = "files"
kind = "directory"
root = "${directory}"
[[distribution]]
id = "files"
aliases = ["127.0.0.1"]
default_behavior = { target_origin = "files" }
`);
      try {
        const film = readFileSync(join(directory, 'film.mp4'));
        const { stdout } = await run('curl', ['-sf', '-r', '100-299', `${server.base}/film.mp4`], { encoding: 'buffer' });
        assert.ok(stdout.equals(film.subarray(100, 300)));
        assert.ok((await octets(`${server.base}/film.mp4`)).body.equals(film));
        const { headers } = await octets(`${server.base}/hls/index.m3u8`);
        assert.equal(headers.get('content-type'), 'application/vnd.apple.mpegurl');
        const again = await fetch(`${server.base}/hls/index.m3u8`, { headers: { 'if-none-match': headers.get('etag') } });
        assert.equal(again.status, 304);
        const { streams } = await ffprobe('-count_packets', '-show_entries', 'stream=nb_read_packets', `${server.base}/hls/index.m3u8`);
        assert.equal(streams[0].nb_read_packets, '360');
        const { stdout: above } = await run('curl', ['-s', '--path-as-is', '-o', '/dev/null', '-w', '%{http_code}', `${server.base}/../etc/passwd`]);
        assert.equal(above, '400');
      } finally { await server.stop(); }
    } finally { rmSync(directory, { recursive: true, force: true }); }
  },

  'an origin over TLS and HTTP/2 is known by an authority of its own': async () => {
    const directory = mkdtempSync(join(tmpdir(), 'levada-tls-'));
    const openssl = (...args) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=An authority', '-keyout', 'ca.key', '-out', 'ca.pem');
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', 'web.key', '-out', 'web.csr');
    openssl('x509', '-req', '-in', 'web.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '2', '-copy_extensions', 'copy', '-out', 'web.pem');
    const seen = [];
    const web = createSecureServer({ key: readFileSync(join(directory, 'web.key')), cert: readFileSync(join(directory, 'web.pem')), allowHTTP1: true }, (request, response) => {
      seen.push(`${request.httpVersion} ${request.socket.servername}`);
      response.end('stone');
    });
    await new Promise((done) => web.listen(0, '127.0.0.1', done));
    try {
      for (const [authority, status] of [['origin_ca_file = "CA"', 200], ['', 502]]) {
        const server = await serve(`
[[origin]]
id = "web"
kind = "http"
domain_name = "localhost"
https_port = ${web.address().port}
${authority.replace('CA', join(directory, 'ca.pem'))}
[[distribution]]
id = "web"
aliases = ["127.0.0.1"]
default_behavior = { target_origin = "web" }
`);
        try {
          assert.equal((await fetch(`${server.base}/a.txt`)).status, status);
        } finally { await server.stop(); }
      }
      assert.deepEqual(seen, ['2.0 localhost']);
    } finally {
      web.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },

  'the second of a group answers when the first is gone': async () => {
    const origin = (id, port) => `
[[origin]]
id = "${id}"
kind = "http"
domain_name = "127.0.0.1"
http_port = ${port}
origin_protocol_policy = "http-only"
connection_timeout = "1s"
`;
    const answering = (text) => new Promise((done) => {
      const web = createServer((_, response) => response.end(text)).listen(0, '127.0.0.1', () => done(web));
    });
    const [primary, secondary] = [await answering('primary'), await answering('secondary')];
    const server = await serve(`${origin('one', primary.address().port)}${origin('other', secondary.address().port)}
[[origin_group]]
id = "pair"
members = ["one", "other"]
[[distribution]]
id = "web"
aliases = ["127.0.0.1"]
default_behavior = { target_origin = "pair" }
`);
    const get = async (path) => {
      const { stdout } = await run('curl', ['-sf', `${server.base}${path}`]);
      return stdout;
    };
    try {
      assert.equal(await get('/before'), 'primary');
      primary.closeAllConnections();
      await new Promise((done) => { primary.close(done); });
      const began = Date.now();
      assert.equal(await get('/after'), 'secondary');
      assert.equal(await get('/before'), 'primary', 'what was kept is still good');
      return `${Date.now() - began} ms`;
    } finally {
      await server.stop();
      secondary.close();
    }
  },
};
