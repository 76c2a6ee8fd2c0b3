//! Two origins for one content (cloudfront.md 2.6).

use std::sync::Arc;

use config::origin::OriginGroup;
use http::Method;
use xxhash_rust::xxh3::xxh3_64;

use super::LASTING;
use crate::counter::Counter;
use crate::passage::{Failure, FetchPlan, Fetched, Planned as _, Source};

/// What a group does with what its primary said.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) members: [String; 2],
    status_codes: Arc<[u16]>,
    /// How often the secondary was asked.
    pub(super) failovers: Arc<Counter>,
}

impl Group {
    /// `previous` is the group of that id from before a reload.
    pub(super) fn new(meant: &OriginGroup, previous: Option<&Self>) -> Self {
        Self {
            members: meant.members.clone(),
            status_codes: meant.status_codes.clone().into(),
            failovers: previous.map_or_else(Arc::default, |it| Arc::clone(&it.failovers)),
        }
    }

    /// Where it goes; `is_alone`: whether the primary alone can be asked.
    pub(super) fn source(
        &self,
        method: &Method,
        is_alone: bool,
        primary: Source,
        secondary: Source,
    ) -> Source {
        if is_alone || !is_repeatable(method) { primary } else { both(primary, secondary) }
    }

    /// A plan that tries the primary, every time, and takes the secondary's answer for final. Only what may be sent twice
    /// goes to both.
    pub(super) fn plan(&self, method: &Method, primary: FetchPlan, secondary: FetchPlan) -> FetchPlan {
        if !is_repeatable(method) {
            return primary;
        }
        let source = both(primary.source(), secondary.source());
        let Self { status_codes, failovers, .. } = self.clone();
        primary.or(secondary, source, move |answer| {
            let fails = is_failure(answer, &status_codes);
            if fails {
                failovers.add_one();
            }
            fails
        })
    }
}

const fn is_repeatable(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether the primary did not answer, or with a status that is a failure. What it cannot be asked at all, such as a
/// request that went in a loop, the secondary is not asked either.
fn is_failure(answer: &Result<Fetched, Failure>, status_codes: &[u16]) -> bool {
    match answer {
        Ok(fetched) => status_codes.contains(&fetched.status.as_u16()),
        Err(failure) => failure.is_silence() || matches!(failure, Failure::Unreadable(_)),
    }
}

/// The source of what either of two brings; the same in every run where theirs are.
fn both(primary: Source, secondary: Source) -> Source {
    let number = xxh3_64(format!("{primary:?} {secondary:?}").as_bytes());
    // Numbers that do not last are counted: they never meet one that is a digest.
    Source { origin: number | LASTING, dropped: 0 }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::passage::{Ask, FetchedBody};

    fn fetched(status: u16) -> Result<Fetched, Failure> {
        let status = StatusCode::from_u16(status).unwrap();
        let body = FetchedBody::Whole(Vec::new());
        Ok(Fetched { status, headers: HeaderMap::new(), length: Some(0), body, lifetime: None })
    }

    /// A plan that brings a status, or fails when it is zero; it writes its name down.
    fn plan(name: &'static str, status: u16, asked: &Arc<Mutex<Vec<&'static str>>>) -> FetchPlan {
        let asked = Arc::clone(asked);
        let source = Source { origin: LASTING | name.len() as u64, dropped: 0 };
        FetchPlan::new(source, move |_| {
            asked.lock().unwrap().push(name);
            let answer = if status == 0 { Err(Failure::TimedOut(Duration::ZERO)) } else { fetched(status) };
            Box::pin(async move { answer })
        })
        .with_deadline(Duration::from_secs(2))
    }

    fn group() -> Group {
        let members = ["one".to_owned(), "other".to_owned()];
        Group::new(&OriginGroup { id: "g".into(), members, status_codes: vec![404, 503] }, None)
    }

    async fn check(method: Method, primary: u16, secondary: u16, expected: (u16, usize)) {
        let asked = Arc::default();
        let group = group();
        let plan = group.plan(&method, plan("one", primary, &asked), plan("other", secondary, &asked));
        for _ in 0..2 {
            asked.lock().unwrap().clear();
            let status = plan.run(Ask::default()).await.map_or(0, |it| it.status.as_u16());
            let asked = asked.lock().unwrap().clone();
            assert_eq!(
                (status, asked.len(), asked[0]),
                (expected.0, expected.1, "one"),
                "{method} {primary}"
            );
        }
        assert_eq!(group.failovers.count(), if expected.1 == 2 { 2 } else { 0 });
    }

    #[tokio::test]
    async fn every_request_tries_the_primary_and_the_secondary_is_final() {
        check(Method::GET, 200, 200, (200, 1)).await;
        check(Method::GET, 500, 200, (500, 1)).await;
        check(Method::GET, 404, 200, (200, 2)).await;
        check(Method::HEAD, 503, 404, (404, 2)).await;
        check(Method::OPTIONS, 0, 200, (200, 2)).await;
        check(Method::GET, 0, 0, (0, 2)).await;
        check(Method::POST, 503, 200, (503, 1)).await;
    }

    #[test]
    fn a_group_is_a_source_of_its_own_and_waits_for_both() {
        let asked = Arc::default();
        let (one, other) = (plan("one", 200, &asked), plan("other", 200, &asked));
        let group = group();
        let sources = [one.source(), other.source()];
        let there = group.plan(&Method::GET, one.clone(), other.clone());
        let back = group.plan(&Method::GET, other, one);
        assert!(!sources.contains(&there.source()) && !sources.contains(&back.source()));
        assert_ne!(there.source(), back.source());
        assert_eq!(there.deadline(), Some(Duration::from_secs(4)));
    }
}
