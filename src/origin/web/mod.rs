//! A web server as an origin: what is asked of it, how often, and what is taken from its answer.
//!
//! ```text
//! Admitted ─▶ Question ─▶ attempts over pooled connections, signed for buckets ─▶ Fetched
//! ```
//! A request to it is written anew: nothing of the viewer's goes on but what the policies name (http-edge.md 21), so no
//! unkeyed field can change an answer that others get.

mod answer;
mod fields;
mod outgoing;
mod patience;
mod question;
mod refusal;
mod standing;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use config::origin::{BucketOrigin, HttpOrigin, OriginProtocolPolicy};
use http::Response;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_64;

use self::patience::Patience;
pub(super) use self::question::Question;
use self::standing::{Standing, Stats};

use self::outgoing::{Ledger, Outgoing};
use super::LIVE_DEADLINE;
use super::sign::{Key, Signer};
use crate::passage::{Admitted, Ask, Failure, Fetched, Upload};

/// What the head of an answer may take; CloudFront's bound for both directions (cloudfront.md 2.8).
const MAX_HEAD: usize = 32 * 1024;

/// Fields of an answer: more are an attack or a mistake.
const MAX_FIELDS: usize = 128;

/// Idle connections that are kept to one origin. A fill uses one, and collapsing makes few fills.
const MAX_IDLE: usize = 256;

/// One web server and the connections to it.
pub(super) struct Web {
    settings: HttpOrigin,
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
    /// For requests that name another host than the server's own, which HTTP/2 has no two places for.
    http1: Client<HttpsConnector<HttpConnector>, Outgoing>,
    /// Who signs its requests, where it is a bucket.
    bucket: Option<Arc<Signer>>,
    standing: Arc<Standing>,
    /// Why no request can be sent, where a file of its settings could not be read.
    broken: Option<String>,
}

impl Web {
    /// A web server like any other.
    pub(super) fn new(settings: HttpOrigin) -> Self {
        Self::build(settings, None)
    }

    /// A bucket; its secrets are read now.
    pub(super) fn bucket(meant: &BucketOrigin) -> Self {
        Self::build(meant.server.clone(), Some(Arc::new(Signer::open(meant))))
    }

    fn build(settings: HttpOrigin, bucket: Option<Arc<Signer>>) -> Self {
        let (roots, broken) = match roots(&settings) {
            Ok(roots) => (roots, None),
            Err(error) => (RootCertStore::empty(), Some(error)),
        };
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connection_timeout));
        let connector =
            || hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let client = |connector| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(settings.keepalive_timeout)
                .pool_max_idle_per_host(MAX_IDLE)
                .http1_max_buf_size(MAX_HEAD)
                .http1_max_headers(MAX_FIELDS)
                .http2_max_header_list_size(MAX_HEAD as u32)
                .http2_adaptive_window(true)
                .build(connector)
        };
        Self {
            client: client(connector().enable_all_versions().wrap_connector(tcp.clone())),
            http1: client(connector().enable_http1().wrap_connector(tcp)),
            settings,
            bucket,
            standing: Arc::new(Standing::new()),
            broken,
        }
    }

    /// The same, with what is known of the server from when it was asked in another way.
    pub(super) fn after(self, earlier: &Self) -> Self {
        Self { standing: Arc::clone(&earlier.standing), ..self }
    }

    /// What was asked of it.
    pub(super) fn stats(&self) -> &Stats {
        &self.standing.stats
    }

    /// Whether it is left alone now, because it failed.
    pub(super) fn is_out(&self) -> bool {
        self.standing.is_out()
    }

    /// What it was made of.
    pub(super) const fn settings(&self) -> &HttpOrigin {
        &self.settings
    }

    /// Whether these are settings of the same server, paths included.
    pub(super) fn is_at(&self, other: &HttpOrigin) -> bool {
        self.bucket.is_none() && place(&self.settings) == place(other)
    }

    /// Whether this is that bucket.
    pub(super) fn is_bucket(&self, other: &BucketOrigin) -> bool {
        self.bucket.is_some() && place(&self.settings) == place(&other.server)
    }

    /// The same for the same server in every run; what was kept for another must never be taken for it.
    pub(super) fn number(&self) -> u64 {
        // Without our signature the same server says other things.
        let manner = if self.bucket.is_some() { "bucket " } else { "" };
        xxh3_64(format!("{manner}{}", place(&self.settings)).as_bytes())
    }

    /// Its host and port.
    pub(super) fn authority(&self) -> String {
        let HttpOrigin { domain_name, protocol_policy, http_port, https_port, .. } = &self.settings;
        let port = if *protocol_policy == OriginProtocolPolicy::HttpOnly { http_port } else { https_port };
        format!("{domain_name}:{port}")
    }

    /// What goes to it of a viewer's request.
    pub(super) fn question(&self, asked: &Admitted, node: &str) -> Question {
        let question = Question::of(asked, node);
        if self.bucket.is_some() { question.for_bucket() } else { question }
    }

    /// How long one attempt may take until an answer begins.
    pub(super) fn patience(&self, question: &Question) -> Duration {
        let read = self.settings.read_timeout;
        let read = if question.may_wait() { read.max(LIVE_DEADLINE) } else { read };
        self.settings.connection_timeout + read
    }

    /// By when it answers, all attempts together.
    pub(super) fn deadline(&self, question: &Question) -> Duration {
        let all = self.patience(question) * self.settings.connection_attempts;
        self.settings.completion_timeout.map_or(all, |it| it.min(all))
    }

    /// Asks; tries again when there was no answer, for methods that may be repeated.
    /// What has a body is asked once, since that can be read once.
    pub(super) async fn fetch(&self, question: &Question, ask: &Ask) -> Result<Fetched, Failure> {
        if let Some(broken) = &self.broken {
            return Err(Failure::Unreachable(broken.clone()));
        }
        if let Some(signer) = &self.bucket {
            if let Some(refusal) = question.refused_by_buckets() {
                return Ok(refusal);
            }
            // A key that is missing says nothing of the store.
            signer.key().await?;
        }
        let sent = Instant::now();
        let target = question.target_at(&self.settings);
        self.standing.admit(target, sent)?;
        let answer = self.attempts(question, ask).await;
        self.standing.record(target, &answer, sent, Instant::now());
        answer
    }

    async fn attempts(&self, question: &Question, ask: &Ask) -> Result<Fetched, Failure> {
        let mut upload = question.take_upload();
        let attempts =
            if question.is_repeatable() && upload.is_none() { self.settings.connection_attempts } else { 1 };
        let patience = Patience::from_now(self.patience(question), self.settings.completion_timeout);
        let mut tried = 1;
        loop {
            let again = |failure: &Failure| {
                failure.is_silence() && tried < attempts && !patience.is_over() && self.standing.may_retry()
            };
            match self.once(question, ask, std::mem::replace(&mut upload, Upload::none()), patience).await {
                Err(failure) if again(&failure) => {
                    tracing::debug!(origin = %self.settings.domain_name, %failure, tried, "trying the origin again");
                    tried += 1;
                }
                done => return done,
            }
        }
    }

    async fn once(
        &self,
        question: &Question,
        ask: &Ask,
        upload: Upload,
        patience: Patience,
    ) -> Result<Fetched, Failure> {
        let Some(signer) = &self.bucket else {
            let response = self.send(question, ask, upload, patience, None).await?;
            return self.take(response, question, ask, patience);
        };
        let once = upload.is_none();
        let key = signer.key().await?;
        let mut response = self.send(question, ask, upload, patience, Some(&key)).await?;
        if once && refusal::is_about_the_key(response.status()) {
            let now = signer.key().await?;
            // It was renewed while the store refused the one before.
            if !Arc::ptr_eq(&key, &now) {
                response = self.send(question, ask, Upload::none(), patience, Some(&now)).await?;
            }
        }
        if refusal::is_refusal(response.status()) {
            return Ok(refusal::take(response, &self.settings.domain_name).await);
        }
        self.take(response, question, ask, patience)
    }

    fn take(
        &self,
        response: Response<Incoming>,
        question: &Question,
        ask: &Ask,
        patience: Patience,
    ) -> Result<Fetched, Failure> {
        let patience = patience.with_silence(self.settings.read_timeout);
        answer::take(response, question.is_for_head(), ask, patience)
    }

    /// Sends a request, signed where there is a key, until an answer begins.
    async fn send(
        &self,
        question: &Question,
        ask: &Ask,
        upload: Upload,
        patience: Patience,
        key: Option<&Key>,
    ) -> Result<Response<Incoming>, Failure> {
        let ledger = Ledger::default();
        let body = Outgoing::new(upload, question.max_body(), ledger.clone());
        let mut request = question.request(&self.settings, ask)?.map(|()| body);
        if let Some(key) = key {
            key.sign(&mut request, SystemTime::now())?;
        }
        let client = if question.names_host() { &self.http1 } else { &self.client };
        let mut answer = std::pin::pin!(client.request(request));
        let mut sent = ledger.sent();
        loop {
            match timeout(patience.left(), answer.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                // What the viewer does not send the origin cannot answer.
                Ok(Err(error)) => return Err(ledger.fault().unwrap_or_else(|| reason(&error))),
                Err(_) if ledger.awaits_viewer() && patience.is_over() => return Err(Failure::Dripping),
                // A body may take as long as it moves, and who brings it is given up by its own measure.
                Err(_) if (ledger.awaits_viewer() || ledger.sent() != sent) && !patience.is_over() => {
                    sent = ledger.sent();
                }
                Err(_) => return Err(patience.failure()),
            }
        }
    }
}

/// Whether a path names a file that players and programs read in ranges: whole films, sounds and archives, no segments.
pub(super) fn may_be_large(path: &str) -> bool {
    const LARGE: [&str; 24] = [
        "7z", "avi", "bin", "bz2", "deb", "dmg", "exe", "flac", "gz", "iso", "m4v", "mkv", "mov", "mp3",
        "mp4", "mpg", "msi", "mxf", "ogg", "ogv", "tar", "wav", "webm", "zip",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| LARGE.iter().any(|it| it.eq_ignore_ascii_case(extension)))
}

/// Which server it is, paths included. No two are written alike: neither a domain nor a policy has a space.
fn place(it: &HttpOrigin) -> String {
    let HttpOrigin { domain_name, protocol_policy, http_port, https_port, path, .. } = it;
    format!("{domain_name} {protocol_policy:?} {http_port} {https_port} {path}")
}

/// Public authorities, and the operator's own. The name in a certificate is to be the origin's, as it is in SNI. CloudFront
/// takes the forwarded `Host` for it as well; here viewers may name any host, and whoever stands between us and the origin
/// could have a certificate for theirs.
fn roots(settings: &HttpOrigin) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(file) = &settings.ca_file else { return Ok(roots) };
    let wrong = |error: String| format!("origin_ca_file {} cannot be used: {error}", file.display());
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(roots)
}

/// What went wrong, with its causes: hyper's own sentence says only "client error (Connect)".
fn reason(error: &hyper_util::client::legacy::Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    if error.is_connect() {
        Failure::Unreachable(text)
    } else if text.contains("connection closed") || text.contains("reset") {
        // Nothing of an answer came.
        Failure::HungUp(text)
    } else {
        Failure::Unreadable(text)
    }
}
