//! Very many viewers: of one thing that nobody has yet, of one thing that comes slowly, and of nothing at all.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::media::Media;
use super::origin::{Pace, Slow};
use super::peers::Peer;
use crate::Setup;
use crate::client::Connection;
use crate::figure::{Figure, Times};
use crate::server::Server;

const MEBI: f64 = 1024.0 * 1024.0;

/// Viewers of one cold object, and what the origin makes of it: 500 ms, then 20 MB a second.
const STORM: usize = 2_000;
const COLD: Pace =
    Pace { wait: Duration::from_millis(500), length: 4 << 20, step: (200_000, Duration::from_millis(10)) };

/// Readers of one object that arrives at 100 kB a second.
const FOLLOWERS: usize = 1_000;
const LIVE: Pace = Pace { wait: Duration::ZERO, length: 500_000, step: (1_000, Duration::from_millis(10)) };

/// Connections that rest, and files that a server opens beside them.
const IDLE: u64 = 20_000;
const BESIDE: u64 = 500;

/// How long connections are given to be taken by the server before they ask.
const SETTLED: Duration = Duration::from_secs(2);

/// Two thousand viewers ask at once for what nobody has.
pub(crate) async fn storm(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let ours = Storm::of(Peer::Levada, setup).await?;
    let mut peers = Vec::new();
    for peer in [Peer::Varnish, Peer::NginxCache, Peer::TrafficServer] {
        let storm = Storm::of(peer, setup).await.with_context(|| peer.name())?;
        peers.push((peer.name(), storm));
    }
    let row = |what: &'static str, goal: &'static str, show: fn(&Storm) -> String| {
        let shown: Vec<_> = peers.iter().map(|(name, it)| format!("{name} {}", show(it))).collect();
        Figure::beside(what, show(&ours), shown.join(", "), goal)
    };
    Ok(vec![
        row("Storm of 2,000 on a cold 4 MiB object: fetches", "1", |it| it.fetches.to_string()),
        row("Storm: processor", "0.7 × Varnish", |it| format!("{:.2} s", it.cpu.as_secs_f64())),
        row("Storm: request to last octet", "0.7 × Varnish (99th percentile)", |it| it.ends.to_string()),
        row("Storm: memory beyond idle connections", "80 MiB", |it| {
            format!("{:.0} MiB", it.memory as f64 / MEBI)
        }),
        row("Storm: viewers who got all of it", "2,000", |it| it.whole.to_string()),
    ])
}

struct Storm {
    fetches: u64,
    cpu: Duration,
    ends: Times,
    memory: u64,
    whole: usize,
}

impl Storm {
    async fn of(peer: Peer, setup: &Setup) -> anyhow::Result<Self> {
        let origin = Slow::start(COLD).await?;
        let media = Media::new(&[])?;
        let server = peer.start_before(setup, media.path(), origin.port).await?;
        let viewers = connected(&server, STORM).await?;
        let (cpu, resident) = (server.cpu(), server.resident());
        let begun = Instant::now();
        let mut asked = JoinSet::new();
        for mut viewer in viewers {
            asked.spawn(async move {
                viewer.ask("/cold.m4s").await?;
                let length = viewer.count(|_| {}).await?;
                anyhow::Ok((length, begun.elapsed()))
            });
        }
        let (mut ends, mut whole) = (Times::default(), 0);
        while let Some(done) = asked.join_next().await {
            let Ok((length, took)) = done? else { continue };
            whole += usize::from(length == COLD.length);
            ends.push(took);
        }
        let cpu = server.cpu() - cpu;
        let memory = server.most_resident().saturating_sub(resident);
        let fetches = origin.fetches();
        server.stop().await?;
        Ok(Self { fetches, cpu, ends, memory, whole })
    }
}

/// A thousand readers follow one object at the pace of its origin.
pub(crate) async fn followers(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let origin = Slow::start(LIVE).await?;
    let media = Media::new(&[])?;
    let server = Peer::Levada.start_before(setup, media.path(), origin.port).await?;
    let viewers = connected(&server, FOLLOWERS).await?;
    let mut reading = JoinSet::new();
    for mut viewer in viewers {
        reading.spawn(async move {
            viewer.ask("/live.m4s").await?;
            let mut came = Vec::new();
            let length = viewer.count(|so_far| came.push((so_far, Instant::now()))).await?;
            ensure!(length == LIVE.length, "{length} of {} octets came", LIVE.length);
            Ok(came)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = reading.join_next().await {
        all.extend(done??);
    }
    let (given, fetches) = (origin.given(), origin.fetches());
    let mut behind = Times::default();
    for (so_far, when) in all {
        // The last octet that came belongs to this step.
        let step = usize::try_from((so_far - 1) / LIVE.step.0)?;
        let gave = given.get(step).context("what came was given")?;
        behind.push(when.saturating_duration_since(*gave));
    }
    server.stop().await?;
    Ok(vec![
        Figure::alone("1,000 readers of one object at 100 kB/s: fetches", fetches, "1"),
        Figure::alone("Each reader's octets behind the origin's", behind, "20 ms (99th percentile)"),
    ])
}

/// Twenty thousand viewers who have been answered once and rest, or as many as this machine allows.
pub(crate) async fn idle(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let media = Media::new(&[("1k.m4s", 1 << 10)])?;
    let server = Peer::Levada.start(setup, &media).await?;
    let many = IDLE.min(setup.descriptors.saturating_sub(BESIDE));
    let mut viewers = connected(&server, usize::try_from(many)?).await?;
    for viewer in &mut viewers {
        ensure!(viewer.get("/1k.m4s").await?.status == 200, "it is there");
    }
    let resident = server.resident();
    drop(viewers);
    server.stop().await?;
    Ok(vec![Figure::alone(
        format!("{many} resting HTTP/1.1 connections: memory of the server"),
        format!("{:.0} MiB", resident as f64 / MEBI),
        "400 MiB for 20,000",
    )])
}

/// Connections that the server has taken.
async fn connected(server: &Server, many: usize) -> anyhow::Result<Vec<Connection>> {
    let mut all = Vec::with_capacity(many);
    for _ in 0..many {
        all.push(Connection::open(server.places.http).await?);
    }
    sleep(SETTLED).await;
    Ok(all)
}
