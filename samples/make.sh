#!/bin/sh
# Makes the bundled sample, samples/media/sample.mp4, from synthetic sources alone: a test picture with a burnt-in
# clock and a two-tone signal that ticks each second. Key frames every second; 8 s are a whole number of both
# 30 Hz pictures (240) and 48 kHz AAC frames (375), so that it loops without a seam.
# Needs ffmpeg with libx264 and a font (Debian: ffmpeg, fonts-dejavu-core, fontconfig).
set -eu
cd "$(dirname "$0")/.."
mkdir -p samples/media
font=$(fc-match -f '%{file}' 'DejaVu Sans Mono')
left='0.20*sin(2*PI*220*t)*exp(-2*mod(t,2))+0.35*sin(2*PI*880*t)*lt(mod(t,1),0.06)'
right='0.20*sin(2*PI*277*t)*exp(-2*mod(t,2))+0.35*sin(2*PI*880*t)*lt(mod(t,1),0.06)'
band="drawbox=x=0:y=ih-84:w=iw:h=84:color=0x10202c@0.85:t=fill"
name="drawtext=fontfile=$font:text='Levada':fontsize=34:fontcolor=white:x=24:y=h-60"
clock="drawtext=fontfile=$font:text='%{pts\\:hms}':fontsize=34:fontcolor=0x7fd1c0:x=w-tw-24:y=h-60"
ffmpeg -hide_banner -loglevel error -y \
    -f lavfi -i "testsrc2=size=640x360:rate=30:duration=8" \
    -f lavfi -i "aevalsrc='$left|$right':s=48000:d=8" \
    -filter_complex "[0:v]$band,$name,$clock[v]" \
    -map '[v]' -map 1:a \
    -c:v libx264 -preset veryslow -profile:v main -pix_fmt yuv420p -b:v 260k -maxrate 420k -bufsize 420k \
    -g 30 -keyint_min 30 -sc_threshold 0 -bf 2 \
    -c:a aac -b:a 64k -ac 2 \
    -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact \
    -movflags +faststart samples/media/sample.mp4
