//! What an HTTP cache owes its viewers and its origins: a web server that says what a story tells it to, behind the edge.
//!
//! A rule is a line of a table: what the web server says first, and what becomes of a second request for the same. Only
//! what such a table cannot say is a story of its own.

mod codings;
mod fields;
mod forms;
mod frames;
mod freshness;
#[cfg(feature = "http3")]
mod http3;
mod hygiene;
mod invalidation;
mod limits;
mod partial;
mod poisoning;
mod requests;
mod stale;
mod storing;
mod targeted;
mod validation;
mod vary;

use std::time::{Duration, SystemTime};

use crate::support::house::House;
use crate::support::http::Answer;
use crate::support::until;
use crate::support::web::WebServer;

/// A web server and the edge in front of it.
struct Pair {
    house: House,
    web: WebServer,
}

impl Pair {
    /// One that gives these answers, whatever it is asked for.
    async fn of(answers: &[(&str, &str)]) -> Self {
        Self::before(WebServer::saying(answers).await).await
    }

    /// One with these settings in a cache policy of its own.
    async fn under(policy: &str, web: WebServer) -> Self {
        let section = format!("[[cache_policy]]\nname = \"Ours\"\n{policy}\n");
        Self::built(web, "cache_policy = \"Ours\"", &section).await
    }

    async fn before(web: WebServer) -> Self {
        Self::built(web, "cache_policy = \"Levada-Media\"", "").await
    }

    /// One with these options of its behavior, and these sections beside it.
    async fn built(web: WebServer, options: &str, sections: &str) -> Self {
        let house = House::beside(&format!(
            "{}[[distribution]]\nid = \"web\"\naliases = [\"web.example\"]\n\
             [distribution.default_behavior]\ntarget_origin = \"web\"\n{options}\n{sections}",
            web.origin("web")
        ))
        .await;
        Self { house, web }
    }

    async fn get(&self) -> Answer {
        self.ask("/a.txt", "").await
    }

    /// Asks for a path with these fields.
    async fn ask(&self, path: &str, fields: &str) -> Answer {
        self.house.ask(&format!("GET {path}\nHost: web.example{}{fields}", newline(fields))).await
    }

    async fn head(&self, path: &str) -> Answer {
        self.house.ask(&format!("HEAD {path}\nHost: web.example")).await
    }

    /// The beginning of a body as soon as the cache says so of it.
    async fn ask_ranged_as(&self, path: &str, words: &str) -> Answer {
        let said = |it: &Answer| it.header("cache-status").is_some_and(|it| it.contains(words));
        until(words, async || Some(self.ask(path, "Range: bytes=0-6").await).filter(said)).await
    }

    fn fetches(&self) -> usize {
        self.web.asked().len()
    }

    /// The answer as soon as the cache says so of it.
    async fn get_as(&self, words: &str) -> Answer {
        self.ask_as("/a.txt", words).await
    }

    /// As [`Self::get_as`], of another path.
    async fn ask_as(&self, path: &str, words: &str) -> Answer {
        let said = |it: &Answer| it.header("cache-status").is_some_and(|it| it.contains(words));
        until(words, async || Some(self.ask(path, "").await).filter(said)).await
    }
}

/// What becomes of a second request for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Second {
    /// It gets what the first brought.
    Reused,
    /// The web server is asked anew.
    Fetched,
    /// The web server is asked if what the first brought still holds.
    Validated,
}

/// Asks twice for each answer of a web server: status and fields, or the fields of a 200. `{60}` in a field is the date
/// in a minute, `{-60}` that of a minute ago.
async fn check(cases: &[(&str, Second)]) {
    check_under("", "", cases).await;
}

/// As [`check`], under a cache policy with these settings, where there are any, by a viewer who sends these fields.
async fn check_under(policy: &str, request: &str, cases: &[(&str, Second)]) {
    let paths: Vec<String> = (0..cases.len()).map(|it| format!("/{it}.txt")).collect();
    let heads: Vec<String> = cases.iter().map(|(head, _)| dated(&full(head))).collect();
    let scripts: Vec<_> = paths.iter().zip(&heads).map(|(path, head)| (&**path, &**head)).collect();
    let web = WebServer::telling(&scripts).await;
    let pair = if policy.is_empty() { Pair::before(web).await } else { Pair::under(policy, web).await };
    let mut wrong = Vec::new();
    for ((path, head), (_, expected)) in paths.iter().zip(&heads).zip(cases) {
        pair.ask(path, request).await;
        pair.ask(path, request).await;
        let asked: Vec<String> =
            pair.web.asked().into_iter().filter(|it| it.starts_with(&format!("get {path} "))).collect();
        let found = match &*asked {
            [_] => Second::Reused,
            [_, second] if second.contains("\r\nif-") => Second::Validated,
            [_, _] => Second::Fetched,
            other => panic!("{} requests for {head:?}", other.len()),
        };
        if found != *expected {
            wrong.push(format!("{found:?} and not {expected:?}: {head:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn full(head: &str) -> String {
    let has_status = head.bytes().take(3).filter(u8::is_ascii_digit).count() == 3;
    if has_status { head.to_owned() } else { format!("200 OK{}{head}", newline(head)) }
}

/// What stands before fields, where there are any.
const fn newline(fields: &str) -> &'static str {
    if fields.is_empty() { "" } else { "\n" }
}

/// With dates in the place of `{60}`.
fn dated(head: &str) -> String {
    let mut text = String::new();
    let mut rest = head;
    while let Some((before, after)) = rest.split_once('{') {
        let (seconds, after) = after.split_once('}').expect("a brace is closed");
        let seconds: i64 = seconds.parse().expect("a number of seconds");
        let by = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        let date = if seconds < 0 { now - by } else { now + by };
        text.extend([before, &httpdate::fmt_http_date(date)]);
        rest = after;
    }
    text + rest
}
