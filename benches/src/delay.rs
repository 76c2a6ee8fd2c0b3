//! From a picture's sending to the moment viewers can fetch what it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use packager::media::TrackKind;
use tokio::time::{sleep, timeout_at};

use crate::Setup;
use crate::client::Connection;
use crate::encoder::{self, Encoder};
use crate::figure::{Figure, Times};
use crate::server::Server;

/// How many broadcasts are begun, and how long one is then followed.
const BEGINNINGS: u32 = 20;
const FOLLOWED: Duration = Duration::from_secs(60);

/// A peer without blocking reloads is asked again after so long; it adds half of it to the peer's times.
const POLL: Duration = Duration::from_millis(2);

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let file = Arc::new(encoder::media(&setup.media.join("sample.mp4"))?);
    let levada = Server::levada(&setup.levada).await?;

    let mut firsts = Times::default();
    for at in 0..BEGINNINGS {
        let name = format!("first{at}");
        let encoder = Encoder::start(Arc::clone(&file), &levada.publish_url(&name)).await?;
        firsts.push(first_playlist(&levada, &name, &encoder).await?);
    }

    let encoder = Encoder::start(Arc::clone(&file), &levada.publish_url("delay")).await?;
    sleep(Duration::from_secs(5)).await;
    let (parts, ours) = tokio::join!(parts(&levada, &encoder), segments(&levada, &encoder));
    let (parts, ours) = (parts?, ours?);
    drop(encoder);
    levada.stop().await?;

    let nginx = Server::nginx().await?;
    let encoder = Encoder::start(file, &nginx.publish_url("delay")).await?;
    let peer = polled_segments(&nginx, &encoder).await?;
    drop(encoder);
    nginx.stop().await?;

    Ok(vec![
        Figure::alone("The first segment's last sample to the first playlists", firsts, "50 ms"),
        Figure::alone("A part's last picture to the part listed and fetched", parts, "20 ms"),
        Figure::beside(
            "A segment's closing key frame to the segment listed and fetched",
            ours.from_key,
            format!("nginx-rtmp {}", peer.from_key),
            "20 ms",
        ),
        Figure::beside(
            "A segment's last picture to the segment listed and fetched",
            ours.from_last,
            format!("nginx-rtmp {}", peer.from_last),
            "–",
        ),
    ])
}

/// From the last samples of the first segments to the playlists that players wait for.
async fn first_playlist(server: &Server, name: &str, encoder: &Encoder) -> anyhow::Result<Duration> {
    // Nobody has heard of a broadcast whose first sample has not come.
    sleep(Duration::from_millis(300)).await;
    let mut connection = Connection::open(server.places.http).await?;
    let mut answers = Vec::new();
    for below in ["index.m3u8", "video/index.m3u8", "audio/index.m3u8"] {
        let response = connection.get(&format!("/live/{name}/{below}")).await?;
        ensure!(response.status == 200, "{below} has status {}", response.status);
        answers.push(response.body);
    }
    let stands = Instant::now();
    let mut complete = None;
    for (kind, playlist) in [(TrackKind::Video, &answers[1]), (TrackKind::Audio, &answers[2])] {
        let uri = Listed::read(playlist)?.last_segment.context("a segment is listed")?;
        let segment = connection.get(&format!("/live/{name}/{}/{uri}", kind.word())).await?.body;
        let last = encoder.last_of(kind, &segment).context("a segment ends with a sample")?;
        complete = complete.max(Some(last.at));
    }
    Ok(stands - complete.context("there are tracks")?)
}

/// Follows the playlist part by part, as a player does.
async fn parts(server: &Server, encoder: &Encoder) -> anyhow::Result<Times> {
    let mut times = Times::default();
    let (mut playlist, mut media) =
        (Connection::open(server.places.http).await?, Connection::open(server.places.http).await?);
    let mut now = Listed::read(&playlist.get("/live/delay/video/index.m3u8").await?.body)?;
    let end = Instant::now() + FOLLOWED;
    while Instant::now() < end {
        let next = format!("/live/delay/video/index.m3u8?_HLS_msn={}&_HLS_part={}", now.open, now.parts);
        now = Listed::read(&playlist.get(&next).await?.body)?;
        let uri = now.last_part.as_ref().context("a part is listed")?;
        let body = media.get(&format!("/live/delay/video/{uri}")).await?.body;
        let fetched = Instant::now();
        let last = encoder.last_of(TrackKind::Video, &body).context("a part ends with a picture")?;
        times.push(fetched - last.at);
    }
    Ok(times)
}

/// From which moments segments are measured.
#[derive(Default)]
struct Segments {
    from_key: Times,
    from_last: Times,
}

/// Follows the playlist segment by segment.
async fn segments(server: &Server, encoder: &Encoder) -> anyhow::Result<Segments> {
    let mut times = Segments::default();
    let (mut playlist, mut media) =
        (Connection::open(server.places.http).await?, Connection::open(server.places.http).await?);
    let mut now = Listed::read(&playlist.get("/live/delay/video/index.m3u8").await?.body)?;
    let end = Instant::now() + FOLLOWED;
    while Instant::now() < end {
        let next = format!("/live/delay/video/index.m3u8?_HLS_msn={}", now.open);
        now = Listed::read(&playlist.get(&next).await?.body)?;
        let uri = now.last_segment.as_ref().context("a segment is listed")?;
        let body = media.get(&format!("/live/delay/video/{uri}")).await?.body;
        let fetched = Instant::now();
        let last = encoder.last_of(TrackKind::Video, &body).context("a segment ends with a picture")?;
        let key = encoder.key_after(last.at);
        times.from_last.push(fetched - last.at);
        // A segment that was listed before its key frame came took no time.
        times.from_key.push(key.map_or(Duration::ZERO, |it| fetched.saturating_duration_since(it.at)));
    }
    Ok(times)
}

/// Asks for the playlist over and over until it lists another segment.
async fn polled_segments(server: &Server, encoder: &Encoder) -> anyhow::Result<Segments> {
    let mut times = Segments::default();
    let (mut playlist, mut media) =
        (Connection::open(server.places.http).await?, Connection::open(server.places.http).await?);
    let mut newest = None;
    let end = Instant::now() + FOLLOWED;
    let late = tokio::time::Instant::from_std(end + Duration::from_secs(20));
    while Instant::now() < end {
        let response = timeout_at(late, playlist.get("/live/delay.m3u8")).await??;
        let listed = if response.status == 200 { Listed::read(&response.body)?.last_segment } else { None };
        if listed.is_none() || listed == newest {
            sleep(POLL).await;
            continue;
        }
        let seen = Instant::now();
        let is_first = newest.is_none();
        newest = listed;
        let Some(uri) = &newest else { bail!("a segment was listed") };
        media.get(&format!("/live/{uri}")).await?;
        let fetched = Instant::now();
        if let (false, Some((key, Some(last)))) = (is_first, encoder.key_before(seen)) {
            times.from_key.push(fetched - key.at);
            times.from_last.push(fetched - last.at);
        }
    }
    Ok(times)
}

/// What a media playlist lists.
pub(crate) struct Listed {
    /// The number of the segment that is not complete, and how many parts it has.
    pub(crate) open: u64,
    parts: u32,
    pub(crate) last_part: Option<String>,
    last_segment: Option<String>,
}

impl Listed {
    pub(crate) fn read(playlist: &[u8]) -> anyhow::Result<Self> {
        let mut it = Self { open: 0, parts: 0, last_part: None, last_segment: None };
        for line in std::str::from_utf8(playlist)?.lines() {
            if let Some(number) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                it.open = number.parse()?;
            } else if let Some(attributes) = line.strip_prefix("#EXT-X-PART:") {
                it.parts += 1;
                it.last_part =
                    attributes.split_once("URI=\"").and_then(|it| it.1.split('"').next()).map(str::to_owned);
            } else if !line.is_empty() && !line.starts_with('#') {
                it.open += 1;
                it.parts = 0;
                it.last_segment = Some(line.to_owned());
            }
        }
        Ok(it)
    }
}
