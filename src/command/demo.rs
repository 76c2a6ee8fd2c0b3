//! `levada demo`.

use std::fs;
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use bytes::Bytes;

use super::serve::until_told;
use crate::access::sign::{Algorithm, NewKeys, Signer, Terms};
use crate::observe::trace;
use crate::page;
use crate::serve::{self, Extras, Running};

/// The bundled sample: 8 s of a test picture with a clock.
static SAMPLE: &[u8] = include_bytes!("../../samples/media/sample.mp4");

const KEY_ID: &str = "KDEMOVIEWERS01";
const SAMPLE_KEY: &str = "demo-sample-key";
const OBS_KEY: &str = "demo-obs-key";
/// How long the printed links work.
const LINK_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// See it work: serves, publishes a bundled sample over RTMP, prints signed links and opens the page.
///
/// Nothing is left behind: keys, certificate and state live in a directory that is removed at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada demo\n  levada demo --headless\n  levada demo --listen 0.0.0.0")]
pub(super) struct Arguments {
    /// Print the links, and open nothing.
    #[arg(long)]
    headless: bool,
    /// The address to listen on; 0.0.0.0 lets other machines and phones in.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    listen: Ipv4Addr,
    /// The name that links give this machine.
    #[arg(long, default_value = "localhost")]
    host: String,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    trace::start("warn")?;
    let directory = tempfile::Builder::new().prefix("levada-demo-").tempdir()?;
    let at = directory.path();
    write_files(at, arguments).with_context(|| at.display().to_string())?;
    let file = at.join("levada.toml");
    let config = config::load(Some(&file), std::iter::empty(), &[])?;
    let signer = || Signer::from_pem(KEY_ID, &fs::read(at.join("viewer.pem"))?).map_err(anyhow::Error::from);
    let extras = Extras {
        load: Box::new(move || {
            config::load(Some(&file), std::iter::empty(), &[]).map_err(|it| it.to_string())
        }),
        signer: Some(signer()?),
    };
    super::block_on(async {
        let running = serve::start(config, extras).await?;
        let rtmp = running.rtmp.context("the demo listens for RTMP")?;
        let url = format!("rtmp://{}/live/{SAMPLE_KEY}", loopback(rtmp));
        let sample = super::publish::media(Bytes::from_static(SAMPLE))?;
        let publisher = tokio::spawn(super::publish::run_until_dropped(sample, url));
        let links = Links::make(&running, arguments, &signer()?)?;
        print(&links);
        if !arguments.headless && can_open() {
            open(&links.watch_plain);
        }
        // The publisher would take the end of its server for a loss, and say that it tries again.
        until_told(running, || publisher.abort()).await
    })
}

/// Everything a signed, encrypted server needs.
fn write_files(at: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let keys = NewKeys::generate(Algorithm::Ecdsa)?;
    fs::write(at.join("viewer.pem"), &keys.private)?;
    fs::write(at.join("viewer.pub.pem"), &keys.public)?;
    let names = vec![arguments.host.clone(), "localhost".into(), arguments.listen.to_string()];
    let certificate = rcgen::generate_simple_self_signed(names)?;
    fs::write(at.join("certificate.pem"), certificate.cert.pem())?;
    fs::write(at.join("certificate.key.pem"), certificate.signing_key.serialize_pem())?;
    fs::write(
        at.join("stream-keys.toml"),
        format!("\"{SAMPLE_KEY}\" = \"demo\"\n\"{OBS_KEY}\" = \"obs\"\n"),
    )?;
    fs::create_dir(at.join("media"))?;
    fs::write(at.join("media/sample.mp4"), SAMPLE)?;

    let listen = arguments.listen;
    let port = |wished: u16| free_port(listen, wished);
    let control = free_port(Ipv4Addr::LOCALHOST, 9090)?;
    let text = format!(
        r#"state_dir = "state"

[listen]
rtmp = "{listen}:{rtmp}"
http = "{listen}:{http}"
control = "127.0.0.1:{control}"

[listen.https]
address = "{listen}:{https}"
certificate = "certificate.pem"
private_key = "certificate.key.pem"

[control]
public_host = "{host}"

[[app]]
name = "live"
publish = {{ keys_file = "stream-keys.toml" }}

[[public_key]]
id = "{KEY_ID}"
file = "viewer.pub.pem"

[[key_group]]
name = "viewers"
keys = ["{KEY_ID}"]

[[origin]]
id = "live"
kind = "live"

[[origin]]
id = "films"
kind = "vod"
root = "media"

[[distribution]]
default = true
default_behavior = {{ target_origin = "films", trusted_key_groups = ["viewers"] }}

[[distribution.behavior]]
path_pattern = "/live/*"
target_origin = "live"
trusted_key_groups = ["viewers"]
cache_policy = "Levada-Live"

[[distribution.behavior]]
path_pattern = "/vod/*"
target_origin = "films"
trusted_key_groups = ["viewers"]
"#,
        rtmp = port(1935)?,
        http = port(8080)?,
        https = port(8443)?,
        host = arguments.host,
    );
    fs::write(at.join("levada.toml"), text)?;
    Ok(())
}

/// The port that was wished for, or another when somebody has it: a demo should not fail for that.
fn free_port(address: Ipv4Addr, wished: u16) -> std::io::Result<u16> {
    let listener = TcpListener::bind((address, wished)).or_else(|_| TcpListener::bind((address, 0)))?;
    Ok(listener.local_addr()?.port())
}

fn loopback(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() { (Ipv4Addr::LOCALHOST, address.port()).into() } else { address }
}

/// What is printed.
struct Links {
    watch: String,
    watch_plain: String,
    film: String,
    hls: String,
    dash: String,
    rtmp: String,
    control: String,
}

impl Links {
    fn make(running: &Running, arguments: &Arguments, signer: &Signer) -> anyhow::Result<Self> {
        let base = |scheme: &str, address: Option<SocketAddr>| {
            let port = address.map_or(0, |it| it.port());
            format!("{scheme}://{}:{port}", arguments.host)
        };
        let (http, https) = (base("http", running.http), base("https", running.https));
        let signed = |base: &str, covered: &str, path: &str| {
            let terms = Terms {
                resource: Some(format!("{base}{covered}")),
                expires: SystemTime::now() + LINK_LIFETIME,
                not_before: None,
                network: None,
            };
            anyhow::Ok(signer.sign_custom(&terms)?.append_to(&format!("{base}{path}")))
        };
        let rtmp = running.rtmp.map_or(1935, |it| it.port());
        let host = &arguments.host;
        Ok(Self {
            watch: signed(&https, "/live/*", "/watch/live/demo")?,
            watch_plain: signed(&http, "/live/*", "/watch/live/demo")?,
            film: signed(&http, "/vod/*", "/watch/vod/sample.mp4")?,
            hls: signed(&http, "/live/*", "/live/demo/index.m3u8")?,
            dash: signed(&http, "/live/*", "/live/demo/manifest.mpd")?,
            rtmp: if rtmp == 1935 {
                format!("rtmp://{host}/live")
            } else {
                format!("rtmp://{host}:{rtmp}/live")
            },
            control: running
                .control
                .map(|it| format!("http://{it}/#{}", running.token.reveal()))
                .unwrap_or_default(),
        })
    }
}

fn print(links: &Links) {
    let bold = |text: &str| {
        if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    };
    println!("{}", bold("Levada plays its sample, published over RTMP and served through signed links."));
    println!();
    println!("{}  {}", bold("Watch    "), links.watch_plain);
    println!("{}  {}", bold("Film     "), links.film);
    println!("{}  {}", bold("HLS      "), links.hls);
    println!("{}  {}", bold("DASH     "), links.dash);
    println!("{}  {}", bold("HTTP/2   "), links.watch);
    println!("           (its certificate was made a moment ago, so your browser will ask)");
    println!("{}  {}", bold("Control  "), links.control);
    println!("{}  server {}   key {OBS_KEY}", bold("From OBS "), links.rtmp);
    if !page::has_player() {
        println!();
        println!(
            "This build has no player for its page: run `npm ci` and build again, or play the HLS link in VLC."
        );
    }
    println!();
    println!("Ctrl-C stops it.");
}

fn can_open() -> bool {
    let has = |name: &str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    cfg!(target_os = "macos") || has("DISPLAY") || has("WAYLAND_DISPLAY")
}

/// Opens a browser; that there is none is no failure, the links are printed.
fn open(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let _ = Command::new(program).arg(url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}
