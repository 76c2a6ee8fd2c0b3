// A real S3 server: SeaweedFS with one key, a bucket, and what a story puts into it with Amazon's own library.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './players.mjs';
import { ROOT, background, freePort, until } from './server.mjs';

const PYTHON = join(ROOT, 'target/python/bin/python');
const WEED = join(ROOT, 'target/python/bin/weed');

export const KEYS = { AWS_ACCESS_KEY_ID: 'levada-reads', AWS_SECRET_ACCESS_KEY: 'not/a+secret' };

const UPLOAD = `
import boto3, os, sys
from botocore.config import Config
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1', config=Config(s3={'addressing_style': 'path'}))
try:
    s3.create_bucket(Bucket=sys.argv[2])
except s3.exceptions.BucketAlreadyOwnedByYou:
    pass
kinds = {'.m3u8': 'application/vnd.apple.mpegurl', '.mp4': 'video/mp4', '.m4s': 'video/iso.segment'}
for root, _, files in os.walk(sys.argv[3]):
    for file in files:
        path = os.path.join(root, file)
        key = sys.argv[4] + os.path.relpath(path, sys.argv[3])
        kind = kinds.get(os.path.splitext(file)[1], 'application/octet-stream')
        s3.upload_file(path, sys.argv[2], key, ExtraArgs={'ContentType': kind})
`;

/** Runs `use` beside an S3 server; `put(directory, bucket, prefix)` uploads all files of a directory. */
export async function withBuckets(use) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-weed-'));
  const config = join(directory, 's3.json');
  writeFileSync(config, JSON.stringify({
    identities: [{
      name: 'levada',
      credentials: [{ accessKey: KEYS.AWS_ACCESS_KEY_ID, secretKey: KEYS.AWS_SECRET_ACCESS_KEY }],
      actions: ['Admin', 'Read', 'List', 'Tagging', 'Write'],
    }],
  }));
  const ports = await Promise.all(Array.from({ length: 8 }, freePort));
  const names = ['master.port', 'master.port.grpc', 'volume.port', 'volume.port.grpc', 'filer.port', 'filer.port.grpc', 's3.port', 's3.port.grpc'];
  const server = background(WEED, ['server', `-dir=${directory}`, '-ip=127.0.0.1', '-ip.bind=127.0.0.1', '-s3', `-s3.config=${config}`,
    '-master.volumeSizeLimitMB=64', '-volume.max=20', '-s3.port.iceberg=0', '-s3.port.lance=0', ...names.map((name, at) => `-${name}=${ports[at]}`)], { cwd: directory });
  const endpoint = `http://127.0.0.1:${ports[6]}`;
  const put = async (from, bucket, prefix = '') => until('the bucket', async () => {
    await run(PYTHON, ['-c', UPLOAD, endpoint, bucket, from, prefix], { env: { ...process.env, ...KEYS } });
    return true;
  }, 60);
  try {
    return await use({ endpoint, put, output: server.output });
  } catch (error) {
    throw new Error(`${error.stack}\nthe S3 server said:\n${server.output().slice(-3000)}`);
  } finally {
    await server.stop('SIGTERM', 5);
    rmSync(directory, { recursive: true, force: true });
  }
}
