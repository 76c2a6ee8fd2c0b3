//! Stored titles, packaged when they are asked for: what that costs beside the same octets lying there as files.
//!
//! Nothing is cached unless a row says so. As with hits, the server has one processor and whoever asks the other.

mod library;
mod title;

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use anyhow::{Context, ensure};
use tokio::time::sleep;

use self::title::{Title, levada};
use crate::Setup;
use crate::client::Connection;
use crate::edge::hammer::{self, Protocol};
use crate::edge::media::Media;
use crate::edge::median;
use crate::edge::peers::Peer;
use crate::figure::Figure;
use crate::server::Server;

/// How long each thing is asked for in each round.
const ASKED: Duration = Duration::from_secs(3);

/// How often a server is started to be asked for its first segment.
const COLD: u32 = 7;

/// A segment in the midst of the film.
const NUMBER: usize = 7;

/// Kinds of segments, by where they are made and what they are called below their track; and what the processor's user time
/// of one should be.
const SEGMENTS: [(&str, &str, &str, &str); 4] = [
    ("fMP4 segment", "packaged", "m4s", "50 µs of user time, 1.1 × the file"),
    ("TS segment", "packaged", "ts", "300 µs of user time"),
    ("AES-128 segment", "aes", "m4s", "900 µs of user time"),
    ("CBCS segment", "cbcs", "m4s", "500 µs of user time"),
];

/// Documents of an hour, by their path below the title; `{tag}` names its bytes.
const DOCUMENTS: [(&str, &str, &str); 4] = [
    ("Media playlist of an hour", "{tag}/v0/index.m3u8", "100 µs"),
    ("I-frame playlist of an hour", "{tag}/v0/iframes.m3u8", "200 µs"),
    ("MPD of an hour", "manifest.mpd", "150 µs"),
    ("Media playlist of an hour, TS", "{tag}/v0/index-ts.m3u8", "100 µs"),
];

/// Processor seconds of one answer.
#[derive(Clone, Copy)]
struct Cost {
    user: f64,
    all: f64,
}

pub(crate) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let mut figures = segments(setup).await?;
    figures.extend(documents(setup).await?);
    figures.extend(cold(setup).await?);
    figures.extend(library::measure(setup).await?);
    Ok(figures)
}

async fn segments(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let media = Media::new(&[])?;
    let state = tempfile::tempdir()?;
    let ours = levada(setup, &setup.media, state.path()).await?;
    let mut figures = Vec::new();
    for (what, made, extension, goal) in SEGMENTS {
        let title = Title::open(&ours, &format!("{made}/2mbit.mp4")).await?;
        let path = format!("{}/v0/{NUMBER}.{extension}", title.tag);
        let octets = title.get(&path).await?;
        // The same octets as a file: ours, cached, and nginx's own.
        fs::write(media.path().join("files/segment.m4s"), &octets)?;
        let (cache, nginx) =
            (Peer::Levada.start(setup, &media).await?, Peer::NginxFiles.start(setup, &media).await?);
        let asked = [
            (&ours, format!("{made}/2mbit.mp4/{path}")),
            // Encrypted or not, the cache knows octets alone; its own row is of those in the clear.
            (&ours, format!("{}/2mbit.mp4/{path}", if made == "packaged" { "cached" } else { made })),
            (&cache, "segment.m4s".to_owned()),
            (&nginx, "segment.m4s".to_owned()),
        ];
        let [packaged, hit, file, nginx_file] = turns(setup, &media, &asked).await?;
        for server in [cache, nginx] {
            server.stop().await?;
        }
        figures.push(Figure::beside(
            format!("{what} of {:.2} MB, not cached", octets.len() as f64 / 1e6),
            format!(
                "{}, {} of user time ({:.2} × its cached file)",
                micros(packaged.all),
                micros(packaged.user),
                packaged.all / file.all
            ),
            format!("its own cached file {}, nginx's file {}", micros(file.all), micros(nginx_file.all)),
            goal,
        ));
        if made == "packaged" {
            figures.push(Figure::beside(
                format!("{what}, from the cache"),
                format!("{} ({:.2} × its cached file)", micros(hit.all), hit.all / file.all),
                "–",
                "1.1 × the file",
            ));
        }
    }
    ours.stop().await?;
    Ok(figures)
}

async fn documents(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let media = Media::new(&[])?;
    let state = tempfile::tempdir()?;
    let server = levada(setup, &setup.media, state.path()).await?;
    let title = Title::open(&server, "packaged/hour.mp4").await?;
    let mut figures = Vec::new();
    for (what, path, goal) in DOCUMENTS {
        let path = path.replace("{tag}", &title.tag);
        let length = title.get(&path).await?.len();
        let [cost] = turns(setup, &media, &[(&server, format!("packaged/hour.mp4/{path}"))]).await?;
        figures.push(Figure::alone(
            format!("{what}, {} kB, not cached: user time", length / 1000),
            micros(cost.user),
            goal,
        ));
    }
    server.stop().await?;
    Ok(figures)
}

/// The first segment that a server is asked for after its start: of a title that it has never seen, and of one that an
/// earlier run has.
async fn cold(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let known = tempfile::tempdir()?;
    let path = {
        let server = levada(setup, &setup.media, known.path()).await?;
        let title = Title::open(&server, "packaged/ladder.set.json").await?;
        let path = title.url(&format!("{}/v0/0.m4s", title.tag));
        server.stop().await?;
        path
    };
    let (mut never, mut again) = (First::default(), First::default());
    for _ in 0..COLD {
        never.ask(setup, &path, tempfile::tempdir()?.path()).await?;
        again.ask(setup, &path, known.path()).await?;
    }
    let what = "First segment of a ladder of three renditions and two hours";
    Ok(vec![
        Figure::alone(format!("{what}, never seen"), never, "30 ms"),
        Figure::alone(format!("{what}, seen by an earlier run"), again, "30 ms"),
    ])
}

/// How long first segments took, and the processor.
#[derive(Default)]
struct First {
    took: Vec<f64>,
    spent: Vec<f64>,
}

impl First {
    async fn ask(&mut self, setup: &Setup, path: &str, state: &Path) -> anyhow::Result<()> {
        let server = levada(setup, &setup.media, state).await?;
        let mut viewer = Connection::open(server.places.http).await?;
        // Connections and pages of the program are there; the title is not.
        ensure!(
            viewer.get("/packaged/nothing.mp4/index.m3u8").await?.status == 404,
            "there is no such title"
        );
        let (begun, before) = (Instant::now(), server.cpu());
        ensure!(viewer.get(path).await?.status == 200, "{path} is there");
        self.took.push(begun.elapsed().as_secs_f64());
        self.spent.push((server.cpu() - before).as_secs_f64());
        server.stop().await
    }
}

impl fmt::Display for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [took, spent] = [&self.took, &self.spent].map(|it| median(it.clone()) * 1e3);
        write!(f, "{took:.0} ms, {spent:.0} ms of processor")
    }
}

/// What one answer costs of each of several things that are asked for in turn.
async fn turns<const N: usize>(
    setup: &Setup,
    media: &Media,
    asked: &[(&Server, String); N],
) -> anyhow::Result<[Cost; N]> {
    let mut costs = [const { (Vec::new(), Vec::new()) }; N];
    for _ in 0..setup.rounds {
        for ((server, path), costs) in asked.iter().zip(&mut costs) {
            let cost = cost(media, server, path).await.with_context(|| path.clone())?;
            costs.0.push(cost.user);
            costs.1.push(cost.all);
        }
    }
    Ok(costs.map(|(user, all)| Cost { user: median(user), all: median(all) }))
}

async fn cost(media: &Media, server: &Server, path: &str) -> anyhow::Result<Cost> {
    let url = Protocol::Http1.url(server, path);
    hammer::run(media, Protocol::Http1, &url, Duration::from_secs(1)).await?;
    sleep(Duration::from_millis(200)).await;
    let (user, all) = (server.user(), server.cpu());
    let answers = hammer::run(media, Protocol::Http1, &url, ASKED).await?;
    ensure!(answers > 0, "{url} was not answered within {ASKED:?}");
    let each = |before: Duration, now: Duration| (now - before).as_secs_f64() / answers as f64;
    Ok(Cost { user: each(user, server.user()), all: each(all, server.cpu()) })
}

fn micros(seconds: f64) -> String {
    format!("{:.0} µs", seconds * 1e6)
}
