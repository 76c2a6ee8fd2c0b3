//! Levada with stored titles, and one of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;

use crate::Setup;
use crate::client::Connection;
use crate::edge::peers::pinned;
use crate::server::{Places, Server};

/// The films of `scripts/bench` that are one title.
const LADDER: &str =
    r#"{"renditions": [{"file": "160x90.mp4"}, {"file": "320x180.mp4"}, {"file": "480x270.mp4"}]}"#;

/// Levada on one processor with the films of a directory: below `packaged` nothing is cached, nor below `aes` and `cbcs`, where it
/// is encrypted; below `cached` it is as a rule.
///
/// What it remembers is in `state`.
pub(super) async fn levada(setup: &Setup, films: &Path, state: &Path) -> anyhow::Result<Server> {
    let places = Places::free()?;
    let Places { http, control, .. } = places;
    let directory = tempfile::tempdir()?;
    fs::write(films.join("ladder.set.json"), LADDER)?;
    let config = format!(
        r#"state_dir = {state:?}
[listen]
rtmp = "off"
http = "{http}"
control = "{control}"
max_requests_per_connection = 1000000000
[[origin]]
id = "films"
kind = "vod"
root = {root:?}
[[origin]]
id = "aes"
kind = "vod"
root = {root:?}
encryption = {{ method = "aes-128", secret = "a key for nobody at all" }}
[[origin]]
id = "cbcs"
kind = "vod"
root = {root:?}
encryption = {{ method = "cbcs", secret = "a key for nobody at all" }}
[[distribution]]
default = true
default_behavior = {{ target_origin = "films" }}
[[distribution.behavior]]
path_pattern = "/packaged/*"
target_origin = "films"
cache_policy = "Managed-CachingDisabled"
[[distribution.behavior]]
path_pattern = "/aes/*"
target_origin = "aes"
cache_policy = "Managed-CachingDisabled"
[[distribution.behavior]]
path_pattern = "/cbcs/*"
target_origin = "cbcs"
cache_policy = "Managed-CachingDisabled"
[[distribution.behavior]]
path_pattern = "/cached/*"
target_origin = "films"
cache_policy = "Levada-Media"
[observe]
log = "warn"
"#,
        root = fs::canonicalize(films)?,
    );
    let file = directory.path().join("levada.toml");
    fs::write(&file, config)?;
    let mut command = pinned(0);
    command.arg(&setup.levada).args(["serve", "--config"]).arg(&file);
    Server::start(command, places, directory).await
}

/// A title of a server.
pub(super) struct Title<'a> {
    server: &'a Server,
    /// What is below: how it is made, and its name.
    path: String,
    /// What names its bytes.
    pub(super) tag: String,
}

impl<'a> Title<'a> {
    /// The title at a path such as `packaged/film.mp4`.
    pub(super) async fn open(server: &'a Server, path: &str) -> anyhow::Result<Self> {
        let mut title = Self { server, path: path.to_owned(), tag: String::new() };
        let playlist = title.get("index.m3u8").await?;
        let text = String::from_utf8_lossy(&playlist).into_owned();
        let uri = text.lines().find(|it| !it.is_empty() && !it.starts_with('#')).context("no variant")?;
        uri.split('/').next().context("no tag")?.clone_into(&mut title.tag);
        Ok(title)
    }

    /// Where it is found below the title, without the cache.
    pub(super) fn url(&self, path: &str) -> String {
        format!("/{}/{path}", self.path)
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Bytes> {
        let url = self.url(path);
        let response = Connection::open(self.server.places.http).await?.get(&url).await?;
        ensure!(response.status == 200, "{url} is answered with {}", response.status);
        Ok(response.body)
    }
}
