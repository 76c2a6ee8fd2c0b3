//! What it costs to give what is cached, beside the servers and caches that others use for it.
//!
//! Every server is pinned to the first processor and has one worker, whoever asks to the second; they take turns. What
//! is compared is the server's processor time for the same work, so that a busy machine costs all of them alike.

mod crowd;
pub(crate) mod hammer;
pub(crate) mod media;
mod origin;
pub(crate) mod peers;
mod quic;

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::sleep;

pub(crate) use self::crowd::{followers, idle, storm};
pub(crate) use self::quic::run as viewers_over_http3;

use self::hammer::Protocol;
use self::media::Media;
use self::peers::Peer;
use crate::Setup;
use crate::figure::Figure;

/// How long each server is asked in each round.
const ASKED: Duration = Duration::from_secs(3);

/// Files by name and length; the small ones are compared by requests, the others by octets.
const FILES: [(&str, u64); 4] =
    [("1k.m4s", 1 << 10), ("100k.m4s", 100 << 10), ("1m.m4s", 1 << 20), ("6m.m4s", 6 << 20)];

/// What no issue of arithmetic hides: a thousand million octets.
const GIGABYTE: f64 = 1e9;

/// A way of asking, who is asked, and by how much we mean to be ahead with each file.
struct Course {
    protocol: Protocol,
    peers: &'static [Peer],
    /// For 1 KiB requests of the best; for others processor time of the best.
    goals: [&'static str; 4],
}

const COURSES: [Course; 3] = [
    Course {
        protocol: Protocol::Http1,
        peers: &[Peer::NginxFiles, Peer::NginxCache, Peer::Varnish, Peer::TrafficServer, Peer::HaProxy],
        goals: ["1.2 × the best", "0.9 ×", "1.0 ×", "1.0 ×"],
    },
    Course {
        protocol: Protocol::Http1Tls,
        peers: &[Peer::NginxFiles, Peer::TrafficServer, Peer::HaProxy],
        goals: ["1.7 × nginx", "–", "0.75 × nginx", "–"],
    },
    Course {
        protocol: Protocol::Http2Tls,
        peers: &[Peer::NginxFiles, Peer::TrafficServer, Peer::HaProxy],
        goals: ["1.2 × HAProxy", "–", "–", "0.75 × Traffic Server"],
    },
];

/// Gives what is cached, in every size, over each protocol.
pub(crate) async fn hits(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let media = Media::new(&FILES)?;
    let mut figures = Vec::new();
    for course in &COURSES {
        for ((file, length), goal) in FILES.into_iter().zip(course.goals) {
            let row = row(setup, &media, course, file, length, goal).await;
            figures.push(row.with_context(|| format!("{file} over {}", course.protocol))?);
        }
    }
    Ok(figures)
}

/// The same over HTTP/3, beside our own HTTP/2: nobody else here speaks it.
pub(crate) async fn http3(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let media = Media::new(&FILES)?;
    let mut figures = Vec::new();
    for (file, length) in FILES {
        let mut costs = [Vec::new(), Vec::new()];
        for _ in 0..setup.rounds {
            for (protocol, costs) in [Protocol::Http3, Protocol::Http2Tls].into_iter().zip(&mut costs) {
                let seconds = asked(setup, &media, Peer::Levada, protocol, file, length).await;
                costs.push(seconds.with_context(|| format!("{file} over {protocol}"))?);
            }
        }
        let [over3, over2] = costs.map(median);
        figures.push(Figure::beside(
            format!("{}, HTTP/3, {}", media::size(length), unit(length)),
            format!("{} ({:.2} × its own HTTP/2)", shown(over3, length), over2 / over3),
            format!("Levada over HTTP/2 {}", shown(over2, length)),
            "0.7 × its own HTTP/2",
        ));
    }
    Ok(figures)
}

/// Small files are compared by requests, others by octets.
const fn is_by_requests(length: u64) -> bool {
    length < 10 << 10
}

const fn unit(length: u64) -> &'static str {
    if is_by_requests(length) { "requests a processor second" } else { "s per GB" }
}

/// Processor seconds of a request, in the unit of its length.
fn shown(seconds: f64, length: u64) -> String {
    if is_by_requests(length) {
        format!("{:.0}k", 1e-3 / seconds)
    } else {
        format!("{:.2}", seconds / length as f64 * GIGABYTE)
    }
}

/// One file over one protocol from all servers, which take turns.
async fn row(
    setup: &Setup,
    media: &Media,
    course: &Course,
    file: &str,
    length: u64,
    goal: &'static str,
) -> anyhow::Result<Figure> {
    let all: Vec<Peer> = std::iter::once(Peer::Levada).chain(course.peers.iter().copied()).collect();
    let mut costs = vec![Vec::new(); all.len()];
    for _ in 0..setup.rounds {
        for (peer, costs) in all.iter().zip(&mut costs) {
            if peer.gives(length) {
                let seconds = asked(setup, media, *peer, course.protocol, file, length).await;
                costs.push(seconds.with_context(|| peer.name())?);
            }
        }
    }
    let medians: Vec<f64> = costs.into_iter().map(median).collect();
    let [ours, others @ ..] = &*medians else { unreachable!("we are the first of all") };
    let best = others.iter().copied().fold(f64::INFINITY, f64::min);
    let mut peers = String::new();
    for (peer, seconds) in course.peers.iter().zip(others).filter(|(_, it)| it.is_finite()) {
        let separator = if peers.is_empty() { "" } else { ", " };
        let _ = write!(peers, "{separator}{} {}", peer.name(), shown(*seconds, length));
    }
    let ratio = if is_by_requests(length) { best / ours } else { ours / best };
    Ok(Figure::beside(
        format!("{}, {}, {}", media::size(length), course.protocol, unit(length)),
        format!("{} ({ratio:.2} × the best)", shown(*ours, length)),
        peers,
        goal,
    ))
}

/// Processor seconds of one request.
async fn asked(
    setup: &Setup,
    media: &Media,
    peer: Peer,
    protocol: Protocol,
    file: &str,
    length: u64,
) -> anyhow::Result<f64> {
    let server = peer.start(setup, media).await?;
    let url = protocol.url(&server, file);
    // The first fetches it, the others find it; some caches keep what was asked for twice.
    hammer::run(media, protocol, &url, Duration::from_secs(1)).await?;
    sleep(Duration::from_millis(200)).await;
    let before = server.cpu();
    let requests = hammer::run(media, protocol, &url, ASKED).await?;
    let spent = server.cpu() - before;
    server.stop().await?;
    ensure!(requests > 0, "{url} was not answered within {ASKED:?} ({length} octets)");
    Ok(spent.as_secs_f64() / requests as f64)
}

pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::INFINITY)
}
