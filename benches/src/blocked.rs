//! Thousands of viewers that wait for one part.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use packager::media::TrackKind;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Setup;
use crate::client::Connection;
use crate::delay::Listed;
use crate::encoder::{self, Encoder};
use crate::figure::{Figure, Times};
use crate::server::Server;

const VIEWERS: usize = 5_000;
const ROUNDS: u32 = 10;

/// Until a window of a minute is full: longer playlists cost more.
const WARM: Duration = Duration::from_secs(65);
/// How long the server is watched when nobody asks anything.
const IDLE: Duration = Duration::from_secs(10);
/// Requests that were all sent are all waiting after so long.
const SETTLED: Duration = Duration::from_millis(500);

const PLAYLIST: &str = "/live/wait/video/index.m3u8";

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let file = Arc::new(encoder::media(&setup.media.join("sample.mp4"))?);
    let server = Server::levada(&setup.levada).await?;
    let encoder = Encoder::start(file, &server.publish_url("wait")).await?;
    sleep(WARM).await;

    let mut viewers = Vec::with_capacity(VIEWERS);
    for _ in 0..VIEWERS {
        let mut viewer = Connection::open(server.places.http).await?;
        ensure!(viewer.get(PLAYLIST).await?.status == 200, "the playlist is there");
        viewers.push(viewer);
    }
    let publishing = server.cores(IDLE).await;

    let (mut memory, mut last_answers, mut half_answers) = (0.0_f64, Times::default(), Times::default());
    let (mut cpu, mut fills) = (Duration::ZERO, Vec::new());
    for _ in 0..ROUNDS {
        let round = Round::run(&server, &encoder, viewers, publishing).await?;
        viewers = round.viewers;
        memory = memory.max(round.memory);
        last_answers.push(round.last);
        half_answers.push(round.half);
        cpu += round.cpu;
        fills.push(round.fills.to_string());
    }
    let each = cpu.as_secs_f64() * 1e6 / f64::from(ROUNDS) / VIEWERS as f64;
    drop((viewers, encoder));
    server.stop().await?;
    Ok(vec![
        Figure::alone(
            "Memory of a blocked playlist request beyond its idle connection",
            format!("{:.1} KiB", memory / 1024.0),
            "10 KiB",
        ),
        Figure::alone("A part's last picture to half of 5,000 blocked requests answered", half_answers, "–"),
        Figure::alone(
            "A part's last picture to all of 5,000 blocked requests answered",
            last_answers,
            "200 ms",
        ),
        Figure::alone("Processor of each, from request to answer", format!("{each:.1} µs"), "20 µs"),
        Figure::alone("Renderings for 5,000 equal requests", fills.join(", "), "1"),
    ])
}

/// All viewers wait for one part and get it.
struct Round {
    viewers: Vec<Connection>,
    /// Octets of each.
    memory: f64,
    last: Duration,
    half: Duration,
    cpu: Duration,
    fills: u64,
}

impl Round {
    async fn run(
        server: &Server,
        encoder: &Encoder,
        mut viewers: Vec<Connection>,
        publishing: f64,
    ) -> anyhow::Result<Self> {
        // When a segment has just closed, the next one's second part is furthest away.
        let mut connection = Connection::open(server.places.http).await?;
        let now = Listed::read(&connection.get(PLAYLIST).await?.body)?;
        let now = Listed::read(&connection.get(&format!("{PLAYLIST}?_HLS_msn={}", now.open)).await?.body)?;
        let wanted = format!("{PLAYLIST}?_HLS_msn={}&_HLS_part=1", now.open + 1);
        let fills = server.counter("levada_cache_fills_total").await?;
        let (begun, before, idle) = (Instant::now(), server.cpu(), server.resident());
        for viewer in &mut viewers {
            viewer.ask(&wanted).await?;
        }
        let asked = Instant::now();
        let mut waiting = JoinSet::new();
        for mut viewer in viewers {
            waiting.spawn(async move {
                let response = viewer.hear().await?;
                ensure!(response.status == 200, "a blocked request got status {}", response.status);
                anyhow::Ok((Instant::now(), viewer, response.body))
            });
        }
        sleep(SETTLED).await;
        let memory = (server.resident().saturating_sub(idle)) as f64 / VIEWERS as f64;
        ensure!(waiting.try_join_next().is_none(), "the part came before everybody had asked");

        let (mut viewers, mut moments, mut body) = (Vec::with_capacity(VIEWERS), Vec::new(), None);
        while let Some(answered) = waiting.join_next().await {
            let (at, viewer, playlist) = answered??;
            viewers.push(viewer);
            moments.push(at);
            body = body.or(Some(playlist));
        }
        let own = Duration::from_secs_f64(begun.elapsed().as_secs_f64() * publishing);
        let cpu = (server.cpu() - before).saturating_sub(own);
        let fills = server.counter("levada_cache_fills_total").await? - fills;
        moments.sort_unstable();

        let listed = Listed::read(&body.context("somebody was answered")?)?;
        let uri = listed.last_part.context("a part is listed")?;
        let part =
            Connection::open(server.places.http).await?.get(&format!("/live/wait/video/{uri}")).await?.body;
        let sent = encoder.last_of(TrackKind::Video, &part).context("a part ends with a picture")?;
        ensure!(sent.at > asked, "the part's last picture came before everybody had asked");
        Ok(Self {
            viewers,
            memory,
            last: moments[VIEWERS - 1] - sent.at,
            half: moments[VIEWERS / 2] - sent.at,
            cpu,
            fills,
        })
    }
}
