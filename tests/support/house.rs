//! A server on loopback, with its files in a directory of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use levada::access::sign::{Algorithm, NewKeys, Signed, Signer, Terms};
use levada::serve::{Extras, Running, start};
use tempfile::TempDir;

use super::encoder::Encoder;
use super::http::{Answer, Line, ask};
use super::playlist::Playlist;
use super::{film, mmdb, secure, until};

/// The configuration of every house. Stories change it with settings such as `listen.keep_alive=1s`.
const CONFIGURATION: &str = r#"
state_dir = "state"

[listen]
rtmp = "127.0.0.1:0"
http = "127.0.0.1:0"
control = "127.0.0.1:0"
drain = "10s"

[listen.https]
address = "127.0.0.1:0"
certificate = "certificate.pem"
private_key = "certificate.key.pem"

[rtmp]
replace_interval = "0s"

[observe.access_log]
file = "access.log"

[[app]]
name = "live"
publish = { keys_file = "stream-keys.toml" }

[[public_key]]
id = "KVIEWERS"
file = "KVIEWERS.pub.pem"

[[public_key]]
id = "KOTHERS"
file = "KOTHERS.pub.pem"

[[key_group]]
name = "viewers"
keys = ["KVIEWERS"]

[[key_group]]
name = "others"
keys = ["KOTHERS"]

[[origin]]
id = "live"
kind = "live"

[[origin]]
id = "live-members"
kind = "live"
strip_prefix = "/members"

[[origin]]
id = "films"
kind = "vod"
root = "media"

[[distribution]]
id = "main"
aliases = ["localhost"]
default = true
default_behavior = { target_origin = "films" }

[[distribution.behavior]]
path_pattern = "/live/*"
target_origin = "live"

[[distribution.behavior]]
path_pattern = "/members/live/*"
target_origin = "live-members"
trusted_key_groups = ["viewers"]

[[distribution.behavior]]
path_pattern = "/members/vod/mixed.mp4/*/a0/*"
target_origin = "films"
trusted_key_groups = ["others"]

[[distribution.behavior]]
path_pattern = "/members/vod/*"
target_origin = "films"
trusted_key_groups = ["viewers"]

[[distribution.behavior]]
path_pattern = "/others/*"
target_origin = "films"
trusted_key_groups = ["others"]

[[distribution.behavior]]
path_pattern = "/encrypted/*"
target_origin = "films"
viewer_protocol_policy = "redirect-to-https"

[[distribution.behavior]]
path_pattern = "/vod/*"
target_origin = "films"

[[distribution]]
id = "bare"
aliases = ["bare.example", "*.bare.example"]
default_behavior = { target_origin = "films", response_headers_policy = "None" }

[[response_headers_policy]]
name = "None"
"#;

/// Secret keys and what they publish.
const STREAM_KEYS: &str = "\"secret-of-match\" = \"match\"\n\"secret-of-talk\" = \"talk\"\n";

/// No part is longer, in seconds.
const PART: f64 = 0.335;

/// A server and its files.
pub(crate) struct House {
    pub(crate) running: Running,
    pub(crate) directory: Arc<TempDir>,
    settings: Vec<String>,
}

impl House {
    /// A house like any other.
    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// A house with other settings, each `key.path=value`.
    pub(crate) async fn with(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        furnish(directory.path());
        Self::at(Arc::new(directory), settings.iter().map(|&it| it.to_owned()).collect()).await
    }

    /// A house with more sections at the end of its configuration.
    pub(crate) async fn beside(sections: &str) -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        furnish(directory.path());
        fs::write(directory.path().join("levada.toml"), format!("{CONFIGURATION}\n{sections}"))
            .expect("the configuration is written");
        Self::at(Arc::new(directory), Vec::new()).await
    }

    async fn at(directory: Arc<TempDir>, settings: Vec<String>) -> Self {
        let load = {
            let (directory, settings) = (Arc::clone(&directory), settings.clone());
            move || {
                let file = directory.path().join("levada.toml");
                config::load(Some(&file), std::iter::empty(), &settings).map_err(|it| it.to_string())
            }
        };
        let config = load().unwrap_or_else(|problems| panic!("{problems}"));
        let running = start(config, Extras { load: Box::new(load), signer: None }).await;
        Self { running: running.expect("the server starts"), directory, settings }
    }

    /// Stops, and starts again with the same files.
    pub(crate) async fn restart(self) -> Self {
        let Self { running, directory, settings } = self;
        running.stop().await;
        Self::at(directory, settings).await
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.running.http.expect("it listens for HTTP")
    }

    pub(crate) fn https(&self) -> SocketAddr {
        self.running.https.expect("it listens for HTTPS")
    }

    pub(crate) fn rtmp(&self) -> SocketAddr {
        self.running.rtmp.expect("it listens for RTMP")
    }

    pub(crate) fn control(&self) -> SocketAddr {
        self.running.control.expect("it listens for operators")
    }

    /// Puts a file into the library.
    pub(crate) fn store(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join("media").join(name), bytes).expect("the file is written");
    }

    /// Publishes `live/match` from the beginning to `ms`.
    pub(crate) async fn match_until(&self, ms: u32) -> Encoder {
        let mut encoder = Encoder::publish(self.rtmp(), "secret-of-match").await;
        encoder.begin(ms).await;
        encoder
    }

    /// Publishes `live/match` up to a little after the end of a part at `ms`, and waits until viewers see that part.
    pub(crate) async fn live(&self, ms: u32) -> (Encoder, Playlist) {
        let encoder = self.match_until(ms).await;
        let shown = (f64::from(ms) / 1000.0 - PART).max(0.0);
        let list = self.playlist_with("all that was sent", |it| it.seconds() > shown).await;
        (encoder, list)
    }

    /// A viewer's request: `GET /path`, then lines of headers.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        ask(self.http(), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}")).await
    }

    pub(crate) async fn line(&self) -> Line {
        Line::to(self.http()).await
    }

    /// The playlist of a track of `live/match`.
    pub(crate) async fn playlist(&self, track: &str) -> Playlist {
        Playlist::read(self.get(&format!("/live/match/{track}/index.m3u8")).await.expect(200).text())
    }

    /// The video playlist of `live/match` as soon as it is as the story needs it.
    pub(crate) async fn playlist_with(&self, what: &str, wanted: impl Fn(&Playlist) -> bool) -> Playlist {
        until(what, async || Some(self.playlist("video").await).filter(|it| wanted(it))).await
    }

    /// An operator's request, with the token.
    pub(crate) async fn operate(&self, request: &str) -> Answer {
        let token = self.running.token.reveal();
        ask(self.control(), &format!("{request}\nAuthorization: Bearer {token}")).await
    }

    /// A number of the metrics.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let answer = ask(self.control(), "GET /metrics").await.expect(200);
        let line = answer.text().lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("there is no metric {name}"))
    }

    /// That a number of the metrics comes to `value`.
    pub(crate) async fn settles(&self, name: &str, value: u64) {
        until(name, async || (self.metric(name).await == value).then_some(())).await;
    }

    /// Who signs with a key of this house.
    pub(crate) fn signer(&self, key: &str) -> Signer {
        let pem = fs::read(self.path().join(format!("{key}.pem"))).expect("the key is there");
        Signer::from_pem(key, &pem).expect("it is a key")
    }

    /// A signature for everything that matches, for a minute.
    pub(crate) fn signed(&self, key: &str, resource: &str) -> Signed {
        let terms = Terms {
            resource: Some(resource.to_owned()),
            expires: SystemTime::now() + Duration::from_secs(60),
            not_before: None,
            network: None,
        };
        self.signer(key).sign_custom(&terms).expect("it is signed")
    }

    pub(crate) fn configuration(&self) -> String {
        fs::read_to_string(self.path().join("levada.toml")).expect("the configuration is there")
    }

    pub(crate) fn write_configuration(&self, text: &str) {
        fs::write(self.path().join("levada.toml"), text).expect("the configuration is written");
    }
}

/// Writes everything a house needs.
fn furnish(at: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(at.join(name), bytes).expect("the file is written");
    write("levada.toml", CONFIGURATION.as_bytes());
    write("stream-keys.toml", STREAM_KEYS.as_bytes());
    for key in ["KVIEWERS", "KOTHERS"] {
        let keys = NewKeys::generate(Algorithm::Ecdsa).expect("keys are made");
        write(&format!("{key}.pem"), keys.private.as_bytes());
        write(&format!("{key}.pub.pem"), keys.public.as_bytes());
    }
    secure::write_certificate(at);
    fs::create_dir(at.join("media")).expect("the library is made");
    write("media/sample.mp4", film::FILE);
    write("denied.txt", b"# nobody\n");
    write("geo.mmdb", &mmdb::database(&[("127.0.0.0/8", "DE")], 24));
}
