//! Signed stream names of RTMP (cloudfront.md 1.13).

use std::net::IpAddr;
use std::time::SystemTime;

use super::Access;
use super::presented::Query;
use super::resource::{Url, covers, matches};
use super::signature::Ask;
use crate::passage::Reason;

/// A `play` or `publish` whose name carries a signature in its query.
#[derive(Clone, Copy, Debug)]
pub struct StreamAsk<'a> {
    /// `rtmp` or `rtmps`.
    pub scheme: &'a str,
    /// The host of `tcUrl`, lower case, with a port that is not the scheme's default.
    pub host: &'a str,
    /// The application.
    pub app: &'a str,
    /// The stream name as sent, without its query; `mp4:`, `mp3:` and `flv:` before it mean nothing.
    pub name: &'a str,
    /// What follows the name's `?`.
    pub query: Option<&'a str>,
    /// Who asks.
    pub client: IpAddr,
    /// Names of the key groups that may sign here; empty: anyone may come.
    pub key_groups: &'a [String],
}

impl Access {
    /// Judges a stream name at `now`. Its resource is the name alone, as CloudFront had it, or `rtmp://host/app/name`.
    ///
    /// # Errors
    /// The first reason in the order of URLs.
    pub fn admit_stream(&self, stream: &StreamAsk<'_>, now: SystemTime) -> Result<(), Reason> {
        let judged = self.judge_stream(stream, now);
        if let Err(reason) = &judged {
            self.counters.refused(reason);
        }
        judged
    }

    fn judge_stream(&self, stream: &StreamAsk<'_>, now: SystemTime) -> Result<(), Reason> {
        if stream.key_groups.is_empty() {
            return Ok(());
        }
        let Query { own, presented } = Query::part(stream.query)?;
        let ask = Ask {
            presented: presented.unwrap_or_default(),
            key_groups: stream.key_groups,
            client: stream.client,
            now,
        };
        let name = without_prefix(stream.name);
        let path = format!("/{}/{name}", stream.app);
        let url = Url { scheme: stream.scheme, host: stream.host, path: &path, query: own.as_deref() };
        let mark = own.as_ref().map_or("", |_| "?");
        let short = format!("{name}{mark}{}", own.as_deref().unwrap_or_default());
        let (_, policy) = self.check_signature(&self.rules.load(), &ask, &[short, url.to_string()])?;
        let is_covered = |resource: &str| matches(resource, name, own.as_deref()) || covers(resource, url);
        if !policy.resource.as_deref().is_none_or(is_covered) {
            return Err(Reason::Resource);
        }
        policy.judge(now, stream.client)
    }
}

/// The name without what tells an old player the container.
fn without_prefix(name: &str) -> &str {
    ["mp4:", "mp3:", "flv:"].iter().find_map(|it| name.strip_prefix(it)).unwrap_or(name)
}
