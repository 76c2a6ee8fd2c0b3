//! The types a request becomes on its way, each made only by its station.
//!
//! ```text
//! viewer ─Request─▶ behavior ─Routed─▶ protect ─Guarded─▶ access ─Admitted─▶ cache, origin ─Answer─▶ respond
//! ```
//! A type that proves something is built with the `Witness` of the station that may say so; a `Witness` can be made
//! nowhere else. Stations import this module and never each other.

mod admitted;
mod answer;
mod budget;
mod cookies;
mod date;
mod device;
#[cfg(test)]
pub(crate) mod example;
mod fetch;
mod forwarded;
mod guarded;
mod object;
mod outcome;
mod path;
mod range;
mod refusal;
mod request;
mod response_headers;
mod routed;
mod unrouted;
mod upload;

pub use admitted::{Admitted, Credentials};
pub use answer::{Answer, Detail, Excuse, Forward, Verdict};
pub use budget::{Budget, Reservation};
pub use date::{is_strong as is_strong_date, parse as parse_date};
pub use fetch::{
    Ask, DIGESTS_OF_CONTENT, Failure, FetchPlan, Fetched, FetchedBody, LEVADA_LIFETIME, Lifetime, Planned,
    SaidRange, Source, Validators,
};
pub use forwarded::Forwarded;
pub use guarded::{Country, Guarded};
pub use object::{Abandoned, Circumstances, Filler, Form, Head, Object, Reader, Slices, Written, body_cost};
pub use outcome::{Outcome, Served};
pub use path::{canonical, canonical_beginning};
pub use range::{ContentRange, RangeSpec};
pub use refusal::{Reason, Refusal};
pub use request::{Facts, Request, RequestId, Scheme};
pub use response_headers::{Added, Cors, ResponseHeaders};
pub use routed::{Behavior, Distribution, ErrorPage, Routed};
pub use unrouted::{PathFault, RouteFault, Unrouted};
pub use upload::Upload;
