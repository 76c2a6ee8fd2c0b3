#!/bin/sh
# Makes the films that the rules are tried on, beside those of ../../media. Run by hand; results are committed.
set -eu
cd "$(dirname "$0")"
make() { ffmpeg -hide_banner -loglevel error -y -bitexact "$@"; }
x264="-c:v libx264 -preset veryfast -crf 40 -pix_fmt yuv420p -threads 1 -x264-params b-adapt=0:scenecut=0"
pictures="testsrc=rate=25:duration=7"
tone="sine=sample_rate=48000:duration=7"

# Two qualities with a key frame each second; the better one has sound in two languages.
make -f lavfi -i "$pictures:size=128x72" -f lavfi -i "$tone:frequency=440" -f lavfi -i "$tone:frequency=330" \
    -map 0 -map 1 -map 2 $x264 -bf 2 -g 25 -c:a aac -ac 2 -b:a 24k \
    -metadata:s:a:0 language=eng -metadata:s:a:1 language=fra ladder-high.mp4
make -f lavfi -i "$pictures:size=64x36" $x264 -bf 2 -g 25 ladder-low.mp4
# High dynamic range in H.265, at the rate of the cinema.
hdr() {
    make -f lavfi -i "testsrc=size=64x64:rate=24000/1001:duration=4" -f lavfi -i "${tone%7}4:frequency=440" \
        -c:v libx265 -preset ultrafast -crf 40 -pix_fmt yuv420p10le -tag:v hvc1 -x265-params \
        "log-level=error:keyint=24:min-keyint=24:scenecut=0:open-gop=$3:bframes=2:pools=1:frame-threads=1:info=0:colorprim=bt2020:transfer=$1:colormatrix=bt2020nc" \
        -color_primaries bt2020 -color_trc "$1" -colorspace bt2020nc -c:a aac -b:a 24k "$2"
}
hdr smpte2084 pq.mp4 0
hdr arib-std-b67 hlg.mp4 0
# Pictures that come behind a key frame and are shown before it.
hdr smpte2084 open.mp4 1
