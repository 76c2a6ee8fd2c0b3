//! What publishers cost a server that nobody watches.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use packager::isobmff::demux::Demuxed;
use tokio::time::sleep;

use crate::Setup;
use crate::client::Connection;
use crate::encoder::{crowd, media};
use crate::figure::Figure;
use crate::server::Server;

/// Until a window of a minute is full: longer playlists cost more.
const WARM: Duration = Duration::from_secs(65);
const MEASURED: Duration = Duration::from_secs(30);

/// Until all that may be fetched is there: what leaves the window stays for as long as it was long, and a little more.
const FULL: Duration = Duration::from_secs(45);

const MEBI: f64 = 1024.0 * 1024.0;

pub(crate) async fn one(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let file = Arc::new(media(&setup.media.join("6mbit.mp4"))?);
    let (ours, peer) =
        (cost(setup, &file, 1, Whose::Ours).await?, cost(setup, &file, 1, Whose::Peers).await?);
    Ok(vec![Figure::beside(
        "Processor of one publisher at 6 Mbit/s",
        format!("{:.2} % of a core", ours.cores * 100.0),
        format!("nginx-rtmp {:.2} %", peer.cores * 100.0),
        "2 %",
    )])
}

pub(crate) async fn hundred(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let file = Arc::new(media(&setup.media.join("1mbit.mp4"))?);
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..setup.rounds {
        ours.push(cost(setup, &file, 100, Whose::Ours).await?);
        peers.push(cost(setup, &file, 100, Whose::Peers).await?);
    }
    let cores = |all: &[Cost]| all.iter().map(|it| format!("{:.3}", it.cores)).collect::<Vec<_>>().join(", ");
    let sum = |all: &[Cost]| all.iter().map(|it| it.cores).sum::<f64>();
    let ratio = sum(&ours) / sum(&peers);
    let beyond = ours.iter().map(|it| it.resident.saturating_sub(it.window)).max().unwrap_or_default();
    let resident = ours.iter().map(|it| it.resident).max().unwrap_or_default();
    Ok(vec![
        Figure::beside(
            "Processor of 100 publishers at 1 Mbit/s",
            format!("{} cores ({ratio:.2} × the peer's)", cores(&ours)),
            format!("nginx-rtmp {} cores", cores(&peers)),
            "0.3 cores",
        ),
        Figure::alone(
            "Memory of 100 publishers beside what viewers may fetch",
            format!("{:.1} MiB ({:.0} in all)", beyond as f64 / MEBI, resident as f64 / MEBI),
            "40 MiB",
        ),
    ])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    Peers,
}

struct Cost {
    cores: f64,
    resident: u64,
    /// Octets of all segments that may be fetched.
    window: u64,
}

async fn cost(setup: &Setup, file: &Arc<Demuxed>, publishers: u32, whose: Whose) -> anyhow::Result<Cost> {
    let server = match whose {
        Whose::Ours => Server::levada(&setup.levada).await?,
        Whose::Peers => Server::nginx().await?,
    };
    let names: Vec<String> = (0..publishers).map(|it| format!("s{it}")).collect();
    let crowd = crowd(file, names.iter().map(|it| server.publish_url(it)).collect()).await?;
    sleep(WARM).await;
    let cores = server.cores(MEASURED).await;
    let mut cost = Cost { cores, resident: 0, window: 0 };
    if whose == Whose::Ours {
        sleep(FULL).await;
        cost.resident = server.resident();
        for name in &names {
            cost.window += fetchable(&server, name).await?;
        }
    }
    ensure!(crowd.len() == publishers as usize, "publishers were lost");
    drop(crowd);
    server.stop().await?;
    let who = if whose == Whose::Ours { "levada" } else { "nginx" };
    eprintln!("  {who}: {:.3} cores, {} of {} octets are media", cost.cores, cost.window, cost.resident);
    Ok(cost)
}

/// The octets of a broadcast's segments, from the newest down to the oldest that is still there.
async fn fetchable(server: &Server, name: &str) -> anyhow::Result<u64> {
    let mut connection = Connection::open(server.places.http).await?;
    let mut octets = 0;
    for track in ["video", "audio"] {
        let playlist = connection.get(&format!("/live/{name}/{track}/index.m3u8")).await?.body;
        let playlist = String::from_utf8_lossy(&playlist).into_owned();
        let newest = playlist.lines().rfind(|it| it.ends_with(".m4s") && !it.starts_with('#'));
        let Some((epoch, number)) = newest.and_then(|it| it.strip_suffix(".m4s")?.split_once('-')) else {
            continue;
        };
        let mut number: u64 = number.parse()?;
        loop {
            let segment = connection.get(&format!("/live/{name}/{track}/{epoch}-{number}.m4s")).await?;
            if segment.status != 200 {
                break;
            }
            octets += segment.body.len() as u64;
            number -= 1;
        }
    }
    Ok(octets)
}
