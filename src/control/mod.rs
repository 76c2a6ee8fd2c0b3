//! What operators see and change while it runs, on an address of its own.
//!
//! `/healthz`, `/readyz` and `/metrics` are for machines and carry no secret; everything below `/api/` needs the
//! bearer token. `Host` and `Origin` are checked on every request, so that no page of a stranger can reach this
//! address through an operator's browser.

mod api;
mod guard;
mod invalidations;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use http::{HeaderValue, StatusCode};
use packager::live::Broadcast;
use tower_service::Service;

pub use api::{IngestApp, StreamKey};
pub use invalidations::Invalidations;
pub use token::Token;

use crate::passage::Request;
use crate::viewer::{RequestBody, Serve};

/// How long an answer may take: what operators ask takes milliseconds, but a body may drip.
const LONGEST: Duration = Duration::from_secs(30);

/// The page loads nothing from elsewhere and is framed by nobody.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the control address is made of; handed over by `serve`.
pub struct Control {
    /// Who may ask.
    pub token: Token,
    /// Host names it answers to beside loopback.
    pub hosts: Vec<String>,
    /// What it shows and does.
    pub server: Box<dyn Server>,
    /// What was invalidated.
    pub invalidations: Invalidations,
}

/// The running server, as the control address needs it.
pub trait Server: Send + Sync {
    /// The broadcasts there are.
    fn broadcasts(&self) -> Vec<Broadcast>;
    /// How many viewers a broadcast has had in the last moments.
    fn viewers(&self, broadcast: &str) -> u64;
    /// A link to watch a broadcast, signed when it has to be; none when the server cannot sign.
    fn watch_link(&self, broadcast: &str) -> Option<String>;
    /// What to tell encoders, from the configuration in force.
    fn apps(&self) -> Vec<IngestApp>;
    /// All metrics, as OpenMetrics text.
    fn metrics(&self) -> String;
    /// Whether viewers and publishers are taken.
    fn is_ready(&self) -> bool;
    /// Loads the configuration again and says what changed.
    ///
    /// # Errors
    /// Why nothing changed.
    fn reload(&self) -> Result<String, String>;
    /// Forgets what is kept of paths or tags of a distribution, of the only one where none is named, or softly: has it
    /// count as stale; gives the distribution's id. It waits for the disk.
    ///
    /// # Errors
    /// What is wrong with them, or with the disk.
    fn invalidate(
        &self,
        distribution: Option<&str>,
        items: &[String],
        is_soft: bool,
    ) -> Result<String, NotInvalidated>;
}

/// Why an invalidation is not, or not for good.
#[derive(Debug)]
pub enum NotInvalidated {
    /// What was asked for makes no sense, in a sentence.
    Meaningless(String),
    /// It holds, but the disk refused to remember it for later runs.
    Unsaved(std::io::Error),
}

/// Who answers operators: the same guards stand before it as before the edge, since it is looked for as much.
pub struct Desk(Router);

impl Desk {
    /// A desk with all that operators may ask.
    pub fn new(control: Control) -> Self {
        let control = Arc::new(control);
        let api = Router::new()
            .route("/broadcasts", get(api::broadcasts))
            .route("/ingest", get(api::ingest))
            .route("/reload", post(api::reload))
            .route("/invalidations", get(invalidations::list).post(invalidations::create))
            .route("/invalidations/{id}", get(invalidations::show))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&control), guard::bearer));
        let router = Router::new()
            .route("/", get(page))
            .route("/control.css", get(|| asset("text/css; charset=utf-8", include_str!("control.css"))))
            .route("/control.js", get(|| asset("text/javascript; charset=utf-8", include_str!("control.js"))))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(api::ready))
            .route("/metrics", get(api::metrics))
            .nest("/api", api)
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&control), guard::same_site))
            .with_state(control);
        Self(router)
    }
}

impl Serve for Desk {
    type Body = Body;

    async fn serve(&self, request: Request, body: RequestBody) -> http::Response<Body> {
        let answer = self.0.clone().call(asked(&request, body));
        match tokio::time::timeout(LONGEST, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                (StatusCode::REQUEST_TIMEOUT, "the request's body did not come in time\n").into_response()
            }
        }
    }
}

/// The request as the router takes it. Over HTTP/2 the host stands in the target; guards look for it in its field.
fn asked(request: &Request, body: RequestBody) -> http::Request<Body> {
    let mut asked = http::Request::new(Body::new(body));
    *asked.method_mut() = request.method().clone();
    *asked.uri_mut() = request.target().clone();
    *asked.version_mut() = request.version();
    *asked.headers_mut() = request.headers().clone();
    if let Ok(host) = HeaderValue::try_from(&**request.host()) {
        asked.headers_mut().insert(HOST, host);
    }
    asked
}

async fn page() -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-store")], Html(include_str!("control.html")))
}

async fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], text)
}
