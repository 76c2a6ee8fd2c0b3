//! The servers that are measured, each with its files in a directory of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::client::Connection;
use crate::process;

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) rtmp: SocketAddr,
    pub(crate) http: SocketAddr,
    /// Where metrics are.
    pub(crate) control: SocketAddr,
    child: Child,
    pid: u32,
    _directory: TempDir,
}

impl Server {
    /// Levada with a live origin that anybody may publish to; all else is the default.
    pub(crate) async fn levada(binary: &Path) -> anyhow::Result<Self> {
        let [rtmp, http, control] = free_ports()?;
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("levada.toml");
        let config = format!(
            r#"state_dir = "state"
[listen]
rtmp = "{rtmp}"
http = "{http}"
control = "{control}"
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
        Self::start(command, rtmp, http, control, directory).await
    }

    /// nginx with its RTMP module and plain HLS, one worker, segments and window as Levada's.
    pub(crate) async fn nginx() -> anyhow::Result<Self> {
        let [rtmp, http, control] = free_ports()?;
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
        Self::start(command, rtmp, http, control, directory).await
    }

    async fn start(
        mut command: Command,
        rtmp: SocketAddr,
        http: SocketAddr,
        control: SocketAddr,
        directory: TempDir,
    ) -> anyhow::Result<Self> {
        command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("{:?} does not start", command.as_std()))?;
        let pid = child.id().context("the server has ended at once")?;
        let begun = Instant::now();
        while Connection::open(http).await.is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                bail!("{:?} does not listen", command.as_std());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { rtmp, http, control, child, pid, _directory: directory })
    }

    pub(crate) fn publish_url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.rtmp)
    }

    pub(crate) fn cpu(&self) -> Duration {
        process::cpu(self.pid)
    }

    pub(crate) fn resident(&self) -> u64 {
        process::resident(self.pid)
    }

    /// How many cores it keeps busy, over so long.
    pub(crate) async fn cores(&self, long: Duration) -> f64 {
        let (begun, before) = (Instant::now(), self.cpu());
        sleep(long).await;
        (self.cpu() - before).as_secs_f64() / begun.elapsed().as_secs_f64()
    }

    /// A counter of Levada's.
    pub(crate) async fn counter(&self, name: &str) -> anyhow::Result<u64> {
        let page = Connection::open(self.control).await?.get("/metrics").await?;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|it| it.trim().parse().ok()).with_context(|| format!("no metric {name}"))
    }

    /// Ends it and waits until it has gone: SIGTERM, since nginx's workers outlive a killed master.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a process has an id")?;
        kill_process(pid, Signal::TERM)?;
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.context("the server does not end")??;
        Ok(())
    }
}

/// Ports nobody listens on. Somebody may take them in between, which shows at once.
fn free_ports<const N: usize>() -> std::io::Result<[SocketAddr; N]> {
    let mut found = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    let mut held = Vec::new();
    for slot in &mut found {
        let listener = TcpListener::bind(*slot)?;
        *slot = listener.local_addr()?;
        held.push(listener);
    }
    Ok(found)
}
