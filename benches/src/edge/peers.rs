//! The servers that give what is cached: each with one worker, on one processor, without a log, with all of it in
//! memory.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use super::media::Media;
use crate::Setup;
use crate::server::{Places, Server};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Levada,
    /// nginx with its own files, by sendfile.
    NginxFiles,
    /// nginx with `proxy_cache`.
    NginxCache,
    Varnish,
    TrafficServer,
    HaProxy,
}

/// HAProxy's cache is for small answers: what takes more than an eighth of it is not kept.
const MOST_OF_HAPROXY: u64 = 2 << 20;

impl Peer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Levada => "Levada",
            Self::NginxFiles => "nginx files",
            Self::NginxCache => "nginx cache",
            Self::Varnish => "Varnish",
            Self::TrafficServer => "Traffic Server",
            Self::HaProxy => "HAProxy",
        }
    }

    /// Whether it can keep so much.
    pub(super) fn gives(self, length: u64) -> bool {
        self != Self::HaProxy || length <= MOST_OF_HAPROXY
    }

    /// Starts it before the web server of `media`, or, where it needs none, with its files.
    pub(crate) async fn start(self, setup: &Setup, media: &Media) -> anyhow::Result<Server> {
        let origin = media.origin.places.http.port();
        self.start_before(setup, media.path(), origin).await
    }

    /// Starts it before a web server on that port of this machine; `at` has files and certificates.
    pub(super) async fn start_before(self, setup: &Setup, at: &Path, origin: u16) -> anyhow::Result<Server> {
        let places = Places::free()?;
        match self {
            Self::Levada => levada(setup, at, places, origin).await,
            Self::NginxFiles => started(nginx(&files(places, at), places, Some(0))?).await,
            Self::NginxCache => started(nginx(&cache(places, origin), places, Some(0))?).await,
            Self::Varnish => varnish(places, origin).await,
            Self::TrafficServer => traffic_server(at, places, origin).await,
            Self::HaProxy => haproxy(at, places, origin).await,
        }
    }
}

/// A command that runs on one processor: `taskset` becomes what it starts, so its process is the server's.
pub(crate) fn pinned(processor: u32) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &processor.to_string()]);
    command
}

async fn started(server: Server) -> anyhow::Result<Server> {
    server.listening().await?;
    Ok(server)
}

async fn levada(setup: &Setup, at: &Path, places: Places, origin: u16) -> anyhow::Result<Server> {
    let directory = tempfile::tempdir()?;
    let Places { http, https, control, .. } = places;
    let at = at.display();
    let config = format!(
        r#"state_dir = "state"
[listen]
rtmp = "off"
http = "{http}"
https = {{ address = "{https}", certificate = "{at}/cert.pem", private_key = "{at}/key.pem" }}
control = "{control}"
max_connections = 30000
max_requests_per_connection = 1000000000
[[origin]]
id = "web"
kind = "http"
domain_name = "127.0.0.1"
http_port = {origin}
origin_protocol_policy = "http-only"
[[distribution]]
default = true
default_behavior = {{ target_origin = "web", cache_policy = "Levada-Media" }}
[observe]
log = "warn"
"#
    );
    let mut command = pinned(0);
    command.arg(&setup.levada).args(["serve", "--config"]).arg(written(&directory, "levada.toml", &config)?);
    Server::start(command, places, directory).await
}

/// nginx that serves the files below `at`, plain and by TLS.
pub(super) fn files(places: Places, at: &Path) -> String {
    let at = at.display();
    format!(
        "sendfile on; tcp_nopush on;
         server {{ listen {}; listen {} ssl http2; root {at}/files; open_file_cache max=100; etag on;
           ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem; ssl_protocols TLSv1.3;
           add_header Cache-Control max-age=86400; }}",
        places.http, places.https
    )
}

fn cache(places: Places, origin: u16) -> String {
    format!(
        "sendfile on; tcp_nopush on; open_file_cache max=100;
         proxy_cache_path cache keys_zone=all:10m max_size=512m inactive=1h use_temp_path=off;
         server {{ listen {}; location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache all;
           proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s; proxy_cache_valid 200 1d; }} }}",
        places.http
    )
}

/// nginx with one worker; `processor`: where it is pinned to.
pub(super) fn nginx(inside_http: &str, places: Places, processor: Option<u32>) -> anyhow::Result<Server> {
    let directory = tempfile::tempdir()?;
    let at = directory.path().display();
    let config = format!(
        "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log warn; {user}
         events {{ worker_connections 30000; }} worker_rlimit_nofile 60000;
         http {{ access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 1h;
           client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/f;
           uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; {inside_http} }}",
        user = if rustix::process::getuid().is_root() { "user root;" } else { "" },
    );
    let file = written(&directory, "nginx.conf", &config)?;
    let mut command = processor.map_or_else(|| Command::new("env"), pinned);
    command.arg("nginx").arg("-p").arg(directory.path()).arg("-c").arg(&file);
    command.arg("-e").arg(directory.path().join("error.log"));
    Server::spawn(command, places, directory)
}

async fn varnish(places: Places, origin: u16) -> anyhow::Result<Server> {
    let directory = tempfile::tempdir()?;
    let rules = format!(
        "vcl 4.1; backend web {{ .host = \"127.0.0.1\"; .port = \"{origin}\"; }}
         sub vcl_recv {{ unset req.http.Cookie; }}"
    );
    let mut command = pinned(0);
    command.args(["varnishd", "-F", "-s", "default=malloc,512m", "-p", "thread_pools=1"]);
    command.args(["-p", "thread_pool_max=5000", "-p", "listen_depth=4096"]);
    command.arg("-a").arg(places.http.to_string()).arg("-n").arg(directory.path().join("work"));
    command.arg("-f").arg(written(&directory, "rules.vcl", &rules)?);
    Server::start(command, places, directory).await
}

async fn traffic_server(at: &Path, places: Places, origin: u16) -> anyhow::Result<Server> {
    let directory = tempfile::tempdir()?;
    let root = directory.path().join("root");
    // Root starts it and it becomes nobody, who has to write here.
    let all = || fs::Permissions::from_mode(0o777);
    for name in ["etc", "run", "log", "cache"] {
        fs::create_dir_all(root.join(name))?;
        fs::set_permissions(root.join(name), all())?;
    }
    fs::set_permissions(directory.path(), all())?;
    // What it would look for in the system is in its own directory, but for its program and modules.
    let layout = format!(
        "prefix: {0}\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/sbin\nsysconfdir: {0}/etc\n\
         datadir: {0}/cache\nincludedir: /usr/include\nlibdir: /usr/lib/trafficserver\n\
         libexecdir: /usr/lib/trafficserver/modules\nlocalstatedir: {0}\nruntimedir: {0}/run\nlogdir: {0}/log\n\
         cachedir: {0}/cache\n",
        root.display()
    );
    fs::write(root.join("runroot.yaml"), layout)?;
    let home = root.join("etc");
    let (http, https, at) = (places.http.port(), places.https.port(), at.display());
    let records = format!(
        "CONFIG proxy.config.http.server_ports STRING {http}:ip-in=127.0.0.1 {https}:ssl:ip-in=127.0.0.1
CONFIG proxy.config.exec_thread.autoconfig.enabled INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.admin.user_id STRING {user}
CONFIG proxy.config.cache.ram_cache.size INT 536870912
CONFIG proxy.config.cache.ram_cache_cutoff INT 16777216
CONFIG proxy.config.cache.enable_read_while_writer INT 1
CONFIG proxy.config.http.background_fill_active_timeout INT 0
CONFIG proxy.config.http.background_fill_completed_threshold FLOAT 0.0
CONFIG proxy.config.cache.max_doc_size INT 0
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.diags.debug.enabled INT 0
CONFIG proxy.config.net.connections_throttle INT 60000
CONFIG proxy.config.http.keep_alive_no_activity_timeout_in INT 3600
CONFIG proxy.config.ssl.server.cert.path STRING {at}
CONFIG proxy.config.ssl.server.private_key.path STRING {at}
CONFIG proxy.config.url_remap.remap_required INT 1
",
        user = if rustix::process::getuid().is_root() { "nobody" } else { "#-1" },
    );
    fs::write(home.join("records.config"), records)?;
    fs::write(home.join("remap.config"), format!("map / http://127.0.0.1:{origin}/\n"))?;
    let everybody = "ip_allow:\n- {apply: in, ip_addrs: 0/0, action: allow, methods: ALL}\n\
                     - {apply: out, ip_addrs: 0/0, action: allow, methods: ALL}\n";
    fs::write(home.join("ip_allow.yaml"), everybody)?;
    fs::write(home.join("ssl_multicert.config"), "dest_ip=* ssl_cert_name=cert.pem ssl_key_name=key.pem\n")?;
    fs::write(home.join("storage.config"), format!("{}/cache 1G\n", root.display()))?;
    let mut command = pinned(0);
    command.arg("traffic_server").arg(format!("--run-root={}", root.display()));
    Server::start(command, places, directory).await
}

async fn haproxy(at: &Path, places: Places, origin: u16) -> anyhow::Result<Server> {
    let directory = tempfile::tempdir()?;
    let at = at.display();
    let config = format!(
        "global
  maxconn 4000
  nbthread 1
  tune.bufsize 16384
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 60s
cache all
  total-max-size 64
  max-object-size {MOST_OF_HAPROXY}
  max-age 3600
frontend viewers
  bind {http}
  bind {https} ssl crt {at}/both.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3
  http-request cache-use all
  http-response cache-store all
  default_backend web
backend web
  http-request cache-use all
  http-response cache-store all
  server web 127.0.0.1:{origin}
",
        http = places.http,
        https = places.https,
    );
    let mut command = pinned(0);
    command.args(["haproxy", "-db", "-f"]).arg(written(&directory, "haproxy.cfg", &config)?);
    Server::start(command, places, directory).await
}

fn written(directory: &TempDir, name: &str, text: &str) -> anyhow::Result<std::path::PathBuf> {
    let file = directory.path().join(name);
    fs::write(&file, text)?;
    Ok(file)
}
