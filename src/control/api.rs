//! The control API, in JSON.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use packager::live::{Broadcast, PublisherFacts, TrackFacts};
use serde::Serialize;

use super::Control;

/// What an encoder has to be told to publish to one application.
#[derive(Clone, Debug, Serialize)]
pub struct IngestApp {
    /// OBS's "Server" box.
    pub server: String,
    /// How keys are found out: `open`, `keys_file` or `webhook`.
    pub publish: &'static str,
    /// OBS's "Stream key" box, one for each name.
    pub keys: Vec<StreamKey>,
}

/// A stream key and the public name it publishes under.
#[derive(Clone, Debug, Serialize)]
pub struct StreamKey {
    /// The secret.
    pub key: String,
    /// The name viewers see.
    pub name: String,
}

#[derive(Serialize)]
pub(super) struct Listed {
    name: String,
    watch: Option<String>,
    started: Option<u64>,
    on_air: bool,
    publisher: Option<Publisher>,
    tracks: Vec<Track>,
    key_frame_interval_seconds: Option<f64>,
    viewers: u64,
    warnings: Vec<String>,
    discontinuities: u64,
}

#[derive(Serialize)]
struct Publisher {
    address: String,
    encoder: Option<String>,
    since: u64,
}

#[derive(Serialize)]
struct Track {
    kind: &'static str,
    codec: String,
    width: Option<u32>,
    height: Option<u32>,
    frame_rate: Option<f64>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
    bit_rate: u64,
}

pub(super) async fn broadcasts(State(control): State<Arc<Control>>) -> Json<Vec<Listed>> {
    Json(control.server.broadcasts().iter().map(|it| listed(it, &control)).collect())
}

pub(super) async fn ingest(State(control): State<Arc<Control>>) -> Json<Vec<IngestApp>> {
    Json(control.server.apps())
}

#[derive(Serialize)]
pub(super) struct Said {
    reloaded: bool,
    message: String,
}

pub(super) async fn reload(State(control): State<Arc<Control>>) -> (StatusCode, Json<Said>) {
    // Reading files and keys may take a moment; other requests must not wait for it.
    let done = tokio::task::spawn_blocking(move || control.server.reload()).await;
    match done {
        Ok(Ok(message)) => (StatusCode::OK, Json(Said { reloaded: true, message })),
        Ok(Err(message)) => (StatusCode::UNPROCESSABLE_ENTITY, Json(Said { reloaded: false, message })),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, Json(Said { reloaded: false, message: error.to_string() }))
        }
    }
}

pub(super) async fn ready(State(control): State<Arc<Control>>) -> (StatusCode, &'static str) {
    if control.server.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    }
}

pub(super) async fn metrics(
    State(control): State<Arc<Control>>,
) -> ([(http::HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], control.server.metrics())
}

fn listed(broadcast: &Broadcast, control: &Control) -> Listed {
    let facts = broadcast.facts();
    let name = broadcast.name().to_string();
    Listed {
        watch: control.server.watch_link(&name),
        started: facts.started.map(unix),
        on_air: facts.publisher.is_some(),
        publisher: facts.publisher.as_ref().map(publisher),
        tracks: facts.tracks.iter().map(track).collect(),
        key_frame_interval_seconds: facts.key_frame_interval.map(|it| it.as_secs_f64()),
        viewers: control.server.viewers(&name),
        warnings: facts.warnings.iter().map(ToString::to_string).collect(),
        discontinuities: facts.discontinuities,
        name,
    }
}

fn publisher(it: &PublisherFacts) -> Publisher {
    Publisher { address: it.address.to_string(), encoder: it.encoder.clone(), since: unix(it.since) }
}

fn track(it: &TrackFacts) -> Track {
    Track {
        kind: it.kind.word(),
        codec: it.codec.clone(),
        width: it.size.map(|(width, _)| width),
        height: it.size.map(|(_, height)| height),
        frame_rate: it.frame_rate,
        sample_rate: it.sample_rate,
        channels: it.channels,
        bit_rate: it.bit_rate,
    }
}

pub(super) fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}
