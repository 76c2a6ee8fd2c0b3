//! The servers that are measured, each with its files in a directory of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::client::Connection;
use crate::process;

/// Where a server is spoken to; not every server uses all of them.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) rtmp: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    /// Where metrics are.
    pub(crate) control: SocketAddr,
}

impl Places {
    /// Ports that nobody listens on.
    pub(crate) fn free() -> anyhow::Result<Self> {
        let [rtmp, http, https, control] = free_ports()?;
        Ok(Self { rtmp, http, https, control })
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) places: Places,
    child: Child,
    pid: u32,
    _directory: TempDir,
}

impl Server {
    /// Levada with a live origin that anybody may publish to; all else is the default.
    pub(crate) async fn levada(binary: &Path) -> anyhow::Result<Self> {
        let places = Places::free()?;
        let Places { rtmp, http, control, .. } = places;
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("levada.toml");
        let config = format!(
            r#"state_dir = "state"
[listen]
rtmp = "{rtmp}"
http = "{http}"
control = "{control}"
max_requests_per_connection = 1000000000
[[app]]
name = "live"
publish = "open"
[[origin]]
id = "live"
kind = "live"
[[distribution]]
default = true
default_behavior = {{ target_origin = "live", cache_policy = "Levada-Live" }}
[observe]
log = "warn"
"#
        );
        fs::write(&file, config)?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--config").arg(&file);
        Self::start(command, places, directory).await
    }

    /// nginx with its RTMP module and plain HLS, one worker, segments and window as Levada's.
    pub(crate) async fn nginx() -> anyhow::Result<Self> {
        let places = Places::free()?;
        let Places { rtmp, http, .. } = places;
        let directory = tempfile::tempdir()?;
        let at = directory.path().display();
        let config = format!(
            "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log warn; {user}
             load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
             events {{ worker_connections 4096; }}
             rtmp {{ access_log off; server {{ listen {rtmp}; chunk_size 4096;
               application live {{ live on; hls on; hls_path {at}/live; hls_fragment 2s; hls_playlist_length 60s; }} }} }}
             http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000;
               server {{ listen {http}; root {at}; }} }}",
            user = if rustix::process::getuid().is_root() { "user root;" } else { "" },
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, config)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(directory.path()).arg("-c").arg(&file);
        command.arg("-e").arg(directory.path().join("error.log"));
        Self::start(command, places, directory).await
    }

    /// Starts a program whose files are in `directory`, and waits until it takes connections.
    pub(crate) async fn start(command: Command, places: Places, directory: TempDir) -> anyhow::Result<Self> {
        let server = Self::spawn(command, places, directory)?;
        server.listening().await?;
        Ok(server)
    }

    /// Starts a program whose files are in `directory`.
    pub(crate) fn spawn(mut command: Command, places: Places, directory: TempDir) -> anyhow::Result<Self> {
        command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().with_context(|| format!("{:?} does not start", command.as_std()))?;
        let pid = child.id().context("the server has ended at once")?;
        Ok(Self { places, child, pid, _directory: directory })
    }

    /// Waits until it takes connections.
    pub(crate) async fn listening(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while Connection::open(self.places.http).await.is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                bail!("nobody listens on {}", self.places.http);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(crate) fn publish_url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.places.rtmp)
    }

    pub(crate) fn cpu(&self) -> Duration {
        process::cpu(self.pid)
    }

    /// Its own, without the kernel's.
    pub(crate) fn user(&self) -> Duration {
        process::user(self.pid)
    }

    pub(crate) fn resident(&self) -> u64 {
        process::resident(self.pid)
    }

    /// The most octets that were ever resident.
    pub(crate) fn most_resident(&self) -> u64 {
        process::most_resident(self.pid)
    }

    /// How many cores it keeps busy, over so long.
    pub(crate) async fn cores(&self, long: Duration) -> f64 {
        let (begun, before) = (Instant::now(), self.cpu());
        sleep(long).await;
        (self.cpu() - before).as_secs_f64() / begun.elapsed().as_secs_f64()
    }

    /// A counter of Levada's.
    pub(crate) async fn counter(&self, name: &str) -> anyhow::Result<u64> {
        let page = Connection::open(self.places.control).await?.get("/metrics").await?;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|it| it.trim().parse().ok()).with_context(|| format!("no metric {name}"))
    }

    /// Ends it and waits until it has gone.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.tell_to_end();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.context("the server does not end")??;
        Ok(())
    }

    /// By SIGTERM, since workers outlive a parent that was killed.
    fn tell_to_end(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        // Its id is its own until it was waited for.
        if let Some(pid) = self.child.id().and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw) {
            // Who has ended by itself need not be told.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell_to_end();
    }
}

/// Below the ports that systems give to those who connect: a viewer that has none of its own could get one of them, and
/// keeps it for a minute.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Ports nobody listens on. Somebody may take them in between, which shows at once.
fn free_ports<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    static NEXT: AtomicU16 = AtomicU16::new(PORTS.start);
    let mut found = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for slot in &mut found {
        *slot = loop {
            let port = NEXT.fetch_add(1, Ordering::Relaxed);
            ensure!(PORTS.contains(&port), "no port is free");
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() {
                break address;
            }
        };
    }
    Ok(found)
}
