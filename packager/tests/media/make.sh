#!/bin/sh
# Makes the stored movies that tests read, and what ffprobe says of their packets. Run by hand; results are committed.
set -eu
cd "$(dirname "$0")"
make() { ffmpeg -hide_banner -loglevel error -y -bitexact "$@"; }
picture="testsrc=size=64x36:rate=30000/1001:duration=1.6"
tone="sine=frequency=440:sample_rate=48000:duration=1.6"
x264="-c:v libx264 -preset veryfast -crf 40 -pix_fmt yuv420p -threads 1 -x264-params b-adapt=0:scenecut=0"

# B-frames, an edit list on both tracks, the header behind the media, wide pixels.
make -f lavfi -i "$picture" -f lavfi -i "$tone" $x264 -bf 2 -g 15 -vf setsar=4/3 -c:a aac -b:a 32k \
    -metadata:s:a language=por bframes.mp4
# The same pictures with the header in front, negative composition offsets and no video edit list.
make -i bframes.mp4 -map 0 -c copy -movflags +faststart+negative_cts_offsets faststart.mp4
# Sound that begins half a second after the pictures: an empty edit.
make -f lavfi -i "$picture" -itsoffset 0.5 -f lavfi -i "$tone" $x264 -bf 0 -g 30 -c:a aac -b:a 32k late-audio.mp4
# Sound alone, from another muxer's brand.
make -f lavfi -i "sine=frequency=330:sample_rate=44100:duration=2" -ac 1 -c:a aac -b:a 24k audio.m4a
# A frame rate that varies: many runs of durations.
make -f lavfi -i "$picture" $x264 -bf 1 -g 20 -vf "select='not(eq(mod(n,5),3))',settb=1/90000" -fps_mode vfr \
    -video_track_timescale 90000 variable.mp4
# The first of them in fragments; and without an empty movie header, so that the first samples stand in it.
make -i bframes.mp4 -map 0 -c copy -movflags frag_keyframe+empty_moov+delay_moov+default_base_moof fragmented.mp4
make -i bframes.mp4 -map 0 -c copy -movflags frag_keyframe hybrid.mp4
# Fragments that begin five hours into a broadcast.
make -i bframes.mp4 -map 0 -c copy -output_ts_offset 18000 -movflags frag_keyframe+empty_moov+default_base_moof+frag_discont \
    late-fragments.mp4

for movie in *.mp4 *.m4a; do
    ffprobe -loglevel error -show_entries packet=stream_index,pts,dts,duration,size,pos,flags -of csv=p=0 \
        "$movie" | sed "s/,$//; /^$/d" > "${movie%.*}.csv"
done
