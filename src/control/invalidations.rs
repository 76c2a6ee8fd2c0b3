//! Invalidations, as CloudFront's API has them (cloudfront.md 4).

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::api::unix;
use super::{Control, NotInvalidated};

/// Items of one invalidation (cloudfront.md 2.8).
const MOST_ITEMS: usize = 3_000;

/// Invalidations that are remembered for whoever asks what was done.
const REMEMBERED: usize = 1_000;

/// Octets of a caller's reference.
const LONGEST_REFERENCE: usize = 256;

/// What is to be forgotten.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// The distribution's id; it can be left out where there is one.
    distribution: Option<String>,
    /// `/path`, `/path*` or `#tag`.
    items: Vec<String>,
    /// Whether it is to be validated before it is given again, rather than fetched anew.
    #[serde(default)]
    soft: bool,
    /// The same reference again means the same invalidation again.
    caller_reference: Option<String>,
}

/// An invalidation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Invalidation {
    id: String,
    /// Always `Completed`: it holds from the answer on.
    status: &'static str,
    /// Unix seconds.
    create_time: u64,
    distribution: String,
    items: Vec<String>,
    soft: bool,
    caller_reference: Option<String>,
}

/// Those of this run, newest last.
#[derive(Debug, Default)]
pub struct Invalidations(Mutex<VecDeque<Invalidation>>);

impl Invalidations {
    fn with_reference(&self, reference: &str) -> Option<Invalidation> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|it| it.caller_reference.as_deref() == Some(reference)).cloned()
    }

    fn remember(&self, invalidation: Invalidation) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back(invalidation);
    }

    fn list(&self) -> Vec<Invalidation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

#[derive(Serialize)]
struct Refused {
    message: String,
}

fn refused(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Json(Refused { message: message.into() })).into_response()
}

pub(super) async fn create(State(control): State<Arc<Control>>, Json(batch): Json<Batch>) -> Response {
    let Batch { distribution, items, soft, caller_reference } = batch;
    if items.is_empty() || items.len() > MOST_ITEMS {
        return refused(StatusCode::BAD_REQUEST, format!("items must hold 1 to {MOST_ITEMS} paths or tags"));
    }
    if caller_reference.as_ref().is_some_and(|it| it.len() > LONGEST_REFERENCE) {
        let sentence = format!("a caller_reference has at most {LONGEST_REFERENCE} characters");
        return refused(StatusCode::BAD_REQUEST, sentence);
    }
    if let Some(known) = caller_reference.as_deref().and_then(|it| control.invalidations.with_reference(it)) {
        return match known.items == items && known.soft == soft {
            true => (StatusCode::CREATED, Json(known)).into_response(),
            false => refused(StatusCode::CONFLICT, "the caller_reference was used for other items"),
        };
    }
    let work = {
        let (control, items) = (Arc::clone(&control), items.clone());
        move || control.server.invalidate(distribution.as_deref(), &items, soft)
    };
    let distribution = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(id)) => id,
        Ok(Err(NotInvalidated::Meaningless(message))) => return refused(StatusCode::BAD_REQUEST, message),
        // Not remembered, so that the same reference tries again.
        Ok(Err(NotInvalidated::Unsaved(error))) => return refused(unsaved(error.kind()), error.to_string()),
        Err(_) => return refused(StatusCode::INTERNAL_SERVER_ERROR, "the server is going down"),
    };
    let made = Invalidation {
        id: new_id(),
        status: "Completed",
        create_time: unix(SystemTime::now()),
        distribution,
        items,
        soft,
        caller_reference,
    };
    control.invalidations.remember(made.clone());
    (StatusCode::CREATED, Json(made)).into_response()
}

pub(super) async fn list(State(control): State<Arc<Control>>) -> Json<Vec<Invalidation>> {
    Json(control.invalidations.list())
}

pub(super) async fn show(State(control): State<Arc<Control>>, Path(id): Path<String>) -> Response {
    match control.invalidations.list().into_iter().find(|it| it.id == id) {
        Some(found) => Json(found).into_response(),
        None => refused(StatusCode::NOT_FOUND, format!("there is no invalidation {id:?} of this run")),
    }
}

fn unsaved(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// `I` and thirteen letters and digits, as CloudFront's look.
fn new_id() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = [0; 13];
    aws_lc_rs::rand::fill(&mut random).expect("the system has randomness");
    let letters = random.iter().map(|it| char::from(LETTERS[usize::from(it % 32)]));
    std::iter::once('I').chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_one_that_fails() {
        let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::PermissionDenied];
        assert_eq!(kinds.map(|it| unsaved(it).as_u16()), [507, 507, 500]);
    }
}
