//! A request's whole way, in the order of its stations.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use http::StatusCode;

use crate::access::Access;
use crate::acme::Challenges;
use crate::behavior::Table;
use crate::cache::Cache;
use crate::origin::Origins;
use crate::page;
use crate::passage::{Admitted, Answer, Behavior, Reason, Request, Routed, Upload};
use crate::protect::Protect;
use crate::respond;
use crate::viewer::{RequestBody, Serve};

/// Where MPDs send players for the time.
const TIME: &str = "/.levada/time";

/// What a reload swaps whole.
pub struct Tables {
    /// Host and path to behavior.
    pub routes: Table,
    /// Origins by id.
    pub origins: Origins,
}

/// The edge: everything between a viewer's request and its response.
pub struct Edge {
    tables: Arc<ArcSwap<Tables>>,
    protect: Arc<Protect>,
    access: Arc<Access>,
    cache: Cache,
    challenges: Challenges,
}

impl Edge {
    /// An edge over these stations. Challenges are answered before them, whoever asks.
    pub const fn new(
        tables: Arc<ArcSwap<Tables>>,
        protect: Arc<Protect>,
        access: Arc<Access>,
        cache: Cache,
        challenges: Challenges,
    ) -> Self {
        Self { tables, protect, access, cache, challenges }
    }
}

impl Serve for Edge {
    type Body = respond::Body;

    async fn serve(&self, request: Request, body: RequestBody) -> http::Response<respond::Body> {
        // An authority asks from wherever it likes, and gets what only it can use.
        if let Some(answer) = self.challenges.answer(request.path()) {
            return respond::document(&request, "application/octet-stream", answer.into(), SystemTime::now());
        }
        // A request keeps the tables it began with, whatever is reloaded meanwhile.
        let tables = self.tables.load_full();
        let received = request.received();
        let routed = match tables.routes.route(request) {
            Ok(it) => it,
            Err(unrouted) => {
                return respond::unrouted(&self.protect.judge_unrouted(unrouted, received), received);
            }
        };
        let guarded = match self.protect.judge(routed, received) {
            Ok(it) => it,
            Err(refusal) => {
                let response = respond::refusal(&refusal, received);
                // Whoever is turned away for asking too much, or at all, causes no fetch of a page.
                return match refusal.reason() {
                    Reason::Country => self.with_page(&tables, refusal.routed(), response).await,
                    _ => response,
                };
            }
        };
        if let Some(own) = own(guarded.routed().request()) {
            return own;
        }
        // A preflight carries neither query nor cookies, so it is answered before anyone asks for a signature.
        if let Some(preflight) = respond::preflight(guarded.routed(), received) {
            return preflight;
        }
        if let Some(options) = respond::options(guarded.routed(), received) {
            return options;
        }
        let asked = match self.access.admit(guarded, received) {
            Ok(it) => it,
            Err(refusal) => {
                let response = respond::refusal(&refusal, received);
                return self.with_page(&tables, refusal.routed(), response).await;
            }
        };
        let answer = self.cache.get(&asked, tables.origins.way(&asked, Upload::new(body))).await;
        let is_overload = answer.is_overload();
        let response = self.respond(&asked, answer).await;
        if is_overload { response } else { self.with_page(&tables, asked.routed(), response).await }
    }
}

impl Edge {
    async fn respond(&self, asked: &Admitted, answer: Answer) -> http::Response<respond::Body> {
        let trusts = |behavior: &Behavior, key: &str| self.access.trusts(behavior, key);
        respond::to(asked, answer, SystemTime::now(), trusts).await
    }

    /// The response, or what the distribution sends in place of its error (cloudfront.md 2.7). Who may not see the page
    /// sees the error; who asks for a page that fails learns how.
    async fn with_page(
        &self,
        tables: &Tables,
        routed: &Routed,
        response: http::Response<respond::Body>,
    ) -> http::Response<respond::Body> {
        let Some((page, status)) = tables.routes.error_page(routed, response.status()) else {
            return response;
        };
        Box::pin(self.in_place_of(tables, page, status, response)).await
    }

    async fn in_place_of(
        &self,
        tables: &Tables,
        page: Routed,
        status: StatusCode,
        response: http::Response<respond::Body>,
    ) -> http::Response<respond::Body> {
        let received = page.request().received();
        let Ok(asked) = self.access.admit(self.protect.excuse(page), received) else { return response };
        let answer = self.cache.get(&asked, tables.origins.way(&asked, Upload::none())).await;
        respond::in_place_of(response, status, self.respond(&asked, answer).await)
    }
}

/// What every host answers itself, whatever behavior the path is of: the time, and the watch page.
fn own(request: &Request) -> Option<http::Response<respond::Body>> {
    if request.path() == TIME {
        return Some(respond::time(request, SystemTime::now()));
    }
    let page = page::find(request.path())?;
    Some(respond::document(request, page.content_type, page.body, SystemTime::now()))
}
