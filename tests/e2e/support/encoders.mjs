// Real encoders, each publishing a moving test picture and a tone until it is stopped.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, background, sleep, until } from './server.mjs';

const PICTURE = 'testsrc2=size=640x360:rate=30';
const TONE = 'sine=frequency=440:sample_rate=48000';

/** ffmpeg passing the bundled sample through, as it is. */
export const ffmpegCopy = (url) => background('ffmpeg', ['-hide_banner', '-loglevel', 'warning', '-re', '-stream_loop', '-1',
  '-i', join(ROOT, 'samples/media/sample.mp4'), '-c', 'copy', '-f', 'flv', url]);

/** ffmpeg with x264, B-frames, a key frame a second; extra arguments go before the address. */
export const ffmpegX264 = (url, extra = []) => background('ffmpeg', ['-hide_banner', '-loglevel', 'warning', '-re',
  '-f', 'lavfi', '-i', PICTURE, '-f', 'lavfi', '-i', TONE,
  '-c:v', 'libx264', '-preset', 'ultrafast', '-bf', '2', '-b_strategy', '0', '-g', '30', '-sc_threshold', '0', '-pix_fmt', 'yuv420p', '-b:v', '600k',
  '-c:a', 'aac', '-b:a', '96k', ...extra, '-f', 'flv', url]);

/** GStreamer with flvmux and rtmp2sink. */
export const gstreamer = (url) => background('gst-launch-1.0', ['-e', '-q',
  'videotestsrc', 'is-live=true', 'pattern=ball', '!', 'video/x-raw,width=640,height=360,framerate=30/1', '!',
  'x264enc', 'tune=zerolatency', 'speed-preset=ultrafast', 'key-int-max=30', 'bitrate=600', '!',
  'video/x-h264,profile=main', '!', 'h264parse', '!', 'mux.',
  'audiotestsrc', 'is-live=true', 'wave=ticks', '!', 'audioconvert', '!', 'audio/x-raw,rate=48000,channels=2', '!', 'voaacenc', 'bitrate=96000', '!', 'aacparse', '!', 'mux.',
  'flvmux', 'name=mux', 'streamable=true', '!', 'rtmp2sink', `location=${url}`]);

/** OBS Studio under Xvfb: a profile and a scene of its own, streaming from its start. `server` and `key` as in OBS's boxes. */
export async function obs(server, key) {
  const home = mkdtempSync(join(tmpdir(), 'levada-obs-'));
  const config = join(home, '.config/obs-studio');
  const profile = join(config, 'basic/profiles/Test');
  mkdirSync(profile, { recursive: true });
  mkdirSync(join(config, 'basic/scenes'), { recursive: true });
  const global = '[General]\nFirstRun=true\nLicenseAccepted=true\nEnableAutoUpdates=false\nInfoIncrement=99\nLastVersion=503316480\n'
    + '[Basic]\nProfile=Test\nProfileDir=Test\nSceneCollection=Test\nSceneCollectionFile=Test\nConfigOnNewProfile=false\n'
    + '[BasicWindow]\nWarnBeforeStartingStream=false\nWarnBeforeStoppingStream=false\n';
  writeFileSync(join(config, 'global.ini'), global);
  writeFileSync(join(config, 'user.ini'), global);
  writeFileSync(join(profile, 'basic.ini'), '[General]\nName=Test\n[Output]\nMode=Simple\nReconnect=true\nRetryDelay=1\n'
    + '[SimpleOutput]\nVBitrate=600\nABitrate=96\nStreamEncoder=x264\nUseAdvanced=true\nPreset=ultrafast\nx264Settings=keyint=30 scenecut=0\n'
    + '[Video]\nBaseCX=640\nBaseCY=360\nOutputCX=640\nOutputCY=360\nFPSType=0\nFPSCommon=30\n[Audio]\nSampleRate=48000\nChannelSetup=Stereo\n');
  writeFileSync(join(profile, 'service.json'), JSON.stringify({ type: 'rtmp_custom', settings: { server, key, use_auth: false, bwtest: false } }));
  const media = { local_file: join(ROOT, 'samples/media/sample.mp4'), looping: true, is_local_file: true, hw_decode: false };
  const item = (name, id) => ({ name, id, visible: true, pos: { x: 0, y: 0 }, scale: { x: 1, y: 1 }, align: 5, bounds_type: 0, bounds: { x: 0, y: 0 } });
  writeFileSync(join(config, 'basic/scenes/Test.json'), JSON.stringify({
    name: 'Test', current_scene: 'Scene', current_program_scene: 'Scene', scene_order: [{ name: 'Scene' }],
    sources: [
      { id: 'ffmpeg_source', versioned_id: 'ffmpeg_source', name: 'Sample', settings: media, mixers: 255, volume: 1 },
      { id: 'scene', versioned_id: 'scene', name: 'Scene', settings: { items: [item('Sample', 1)], id_counter: 1 } },
    ],
  }));
  const display = `:${90 + Math.floor(Math.random() * 900)}`;
  const screen = background('Xvfb', [display, '-screen', '0', '1280x800x24', '-nolisten', 'tcp']);
  await sleep(1000);
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_RUNTIME_DIR: home, DISPLAY: display,
    LIBGL_ALWAYS_SOFTWARE: '1', QT_QPA_PLATFORM: 'xcb' };
  const studio = background('obs', ['--startstreaming', '--minimize-to-tray', '--multi', '--profile', 'Test', '--collection', 'Test',
    '--scene', 'Scene', '--disable-updater', '--disable-shutdown-check', '--disable-missing-files-check'], { env });
  await until('OBS to start', () => {
    if (studio.child.exitCode !== null) throw new Error(studio.output().slice(-2000));
    return /Streaming Start|stream.*start|rtmp stream/i.test(studio.output());
  }, 60).catch((error) => { throw new Error(`${error.message}\n${studio.output().slice(-3000)}`); });
  return {
    child: studio.child,
    ended: studio.ended,
    output: studio.output,
    async stop(signal) {
      const code = await studio.stop(signal);
      await screen.stop();
      rmSync(home, { recursive: true, force: true });
      return code;
    },
  };
}
