//! All metrics, read from the books of the stations when someone asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use packager::live::Registry;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry;

use super::access_log::AccessLog;
use crate::access::Access;
use crate::cache::Cache;
use crate::edge::Tables;
use crate::origin::AskedOf;
use crate::origin::vod::{Indexes, Vod};
use crate::protect::Protect;
use crate::viewer;

/// The books that are read.
#[derive(Clone)]
pub struct Books {
    /// Viewers' connections and responses.
    pub viewer: Arc<viewer::Stats>,
    /// Operators' connections and responses.
    pub operators: Arc<viewer::Stats>,
    /// Signatures.
    pub access: Arc<Access>,
    /// Who is refused whatever he asks for.
    pub protect: Arc<Protect>,
    /// The cache.
    pub cache: Cache,
    /// Stored assets.
    pub tables: Arc<ArcSwap<Tables>>,
    /// RTMP.
    pub rtmp: Arc<ingest::stats::Stats>,
    /// Broadcasts.
    pub registry: Registry,
    /// What is known of stored titles.
    pub indexes: Arc<Indexes>,
    /// The access log.
    pub access_log: Option<AccessLog>,
}

impl Books {
    /// Prints all metrics as OpenMetrics text.
    pub fn print(&self) -> String {
        let mut registry = registry::Registry::with_prefix("levada");
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("a String takes all");
        text
    }
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Books")
    }
}

impl Collector for Books {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut page = Page { encoder };
        self.doors(&mut page)?;
        self.signatures(&mut page)?;
        self.cached(&mut page)?;
        self.origins(&mut page)?;
        self.assets(&mut page)?;
        self.publishers(&mut page)?;
        self.broadcasts(&mut page)
    }
}

impl Books {
    fn doors(&self, page: &mut Page<'_>) -> std::fmt::Result {
        door(page, "viewer", &self.viewer)?;
        door(page, "control", &self.operators)?;
        if let Some(log) = &self.access_log {
            page.counter("access_log_dropped", "Lines that found the log's queue full", log.dropped())?;
        }
        Ok(())
    }

    fn signatures(&self, page: &mut Page<'_>) -> std::fmt::Result {
        let it = self.access.stats();
        page.counter("access_verifications", "Signatures checked with a key", it.verifications)?;
        page.counter("access_recognitions", "Signatures known from before", it.recognitions)?;
        page.counters("access_refusals", "Requests refused, by reason", "reason", it.refusals)?;
        let it = self.protect.stats();
        let refusals = [
            ("address-denied", it.addresses.count()),
            ("country", it.countries.count()),
            ("rate", it.rates.count()),
        ];
        page.counters(
            "protect_refusals",
            "Viewers refused whatever they ask for, by reason",
            "reason",
            refusals,
        )?;
        let matches: Vec<_> = self.protect.rules().matches().collect();
        let matches = matches.iter().map(|(rule, count)| (rule.as_str(), *count));
        page.counters("protect_rate_rule_matches", "Requests beyond a rate rule's limit", "rule", matches)
    }

    fn cached(&self, page: &mut Page<'_>) -> std::fmt::Result {
        let it = self.cache.stats();
        page.counter("cache_hits", "Requests answered from the store", it.hits.count())?;
        page.counter("cache_misses", "Requests answered by a fetch", it.misses.count())?;
        page.counter("cache_collapsed", "Misses that joined another's fetch", it.collapsed.count())?;
        page.counter("cache_fills", "Fetches begun", it.fills.count())?;
        page.counter("cache_failed_fills", "Fetches that brought not all", it.failed_fills.count())?;
        page.counter(
            "cache_abandoned_fills",
            "Fetches nobody waited for any more",
            it.abandoned_fills.count(),
        )?;
        page.counter("cache_evictions", "Answers let go for want of room", it.evictions.count())?;
        page.counter(
            "cache_evicted_errors",
            "Stored errors let go because errors may take a hundredth of the memory",
            it.evicted_errors.count(),
        )?;
        page.counter("cache_out_of_memory", "Answers not kept for want of memory", it.out_of_memory.count())?;
        page.counter("cache_invalidations", "Invalidations", it.invalidations.count())?;
        page.counter("cache_busy", "Requests beyond the bound on fetches", it.busy.count())?;
        page.counter("cache_busy_uploads", "Bodies beyond the bound on uploads", it.busy_uploads.count())?;
        page.gauge(
            "cache_memory_bytes",
            "Memory held, filling, or let go but still read",
            self.cache.memory_used(),
        )?;
        page.gauge("cache_memory_limit_bytes", "Memory there is", self.cache.memory_limit())?;
        page.gauge("cache_fills_under_way", "Fetches now", self.cache.fills_under_way() as u64)?;
        let Some((it, used, limit)) = self.cache.disk() else { return Ok(()) };
        page.counter("cache_disk_hits", "Answers the disk gave", it.hits.count())?;
        page.counter("cache_disk_misses", "Answers the disk did not have", it.misses.count())?;
        page.counter("cache_disk_writes", "Answers written", it.writes.count())?;
        page.counter("cache_disk_skipped", "Answers not written: no time or no room", it.skipped.count())?;
        page.counter("cache_disk_evictions", "Files deleted for want of room", it.evictions.count())?;
        page.counter("cache_disk_corrupt", "Files that were not as written", it.corrupt.count())?;
        page.counter("cache_disk_errors", "Times the file system said no", it.errors.count())?;
        page.gauge("cache_disk_bytes", "What its files take", used)?;
        page.gauge("cache_disk_limit_bytes", "What its files may take", limit)
    }

    fn origins(&self, page: &mut Page<'_>) -> std::fmt::Result {
        let tables = self.tables.load();
        let asked = tables.origins.asked();
        let by_id = |read: fn(&AskedOf) -> u64| asked.iter().map(move |it| (it.id.as_str(), read(it)));
        page.counters("origin_requests", "Requests to web servers", "origin", by_id(|it| it.requests))?;
        page.counters(
            "origin_failures",
            "Requests that web servers did not answer",
            "origin",
            by_id(|it| it.failures),
        )?;
        page.counters("origin_retries", "Attempts beside the first", "origin", by_id(|it| it.retries))?;
        page.counters(
            "origin_spared",
            "Requests not sent to web servers that fail",
            "origin",
            by_id(|it| it.spared),
        )?;
        page.gauges(
            "origin_out",
            "Whether a web server is left alone now",
            "origin",
            by_id(|it| it.is_out.into()),
        )?;
        page.counters(
            "origin_failovers",
            "Requests that the second of a group answered",
            "origin_group",
            tables.origins.failovers(),
        )
    }

    fn assets(&self, page: &mut Page<'_>) -> std::fmt::Result {
        let tables = self.tables.load();
        let sum = |read: fn(&Vod) -> &AtomicU64| {
            tables.origins.assets().map(|it| read(it).load(Ordering::Relaxed)).sum()
        };
        page.counter("vod_reads", "Reads of stored files", sum(|it| &it.reads().count))?;
        page.counter("vod_read_bytes", "Octets read of stored files", sum(|it| &it.reads().bytes))?;
        page.counter("vod_segments", "Segments fetched", sum(|it| &it.stats().segments))?;
        page.counter(
            "vod_documents",
            "Manifests and init segments fetched",
            sum(|it| &it.stats().documents),
        )?;
        let indexes = &self.indexes;
        page.counter("vod_indexes_opened", "Titles known from an earlier run", indexes.opened.count())?;
        page.counter("vod_indexes_written", "Titles made known to later runs", indexes.written.count())?;
        page.gauge("vod_index_bytes", "Octets on disk of what is known of titles", indexes.bytes())?;
        page.counter(
            "vod_refusals",
            "Titles that are not there or cannot be played",
            sum(|it| &it.stats().refusals),
        )
    }

    fn publishers(&self, page: &mut Page<'_>) -> std::fmt::Result {
        let it = &self.rtmp;
        page.counter("rtmp_accepted", "Connections taken", it.accepted.count())?;
        page.gauge("rtmp_connections_open", "Connections now", it.connections.count())?;
        page.gauge("rtmp_publishers", "Publishers now", it.publishers.count())?;
        page.gauge("rtmp_players", "Players now", it.players.count())?;
        page.counter("rtmp_turned_away", "Connections beyond a bound", it.turned_away.count())?;
        page.counter("rtmp_received_bytes", "Octets received", it.received_bytes.count())?;
        page.counter("rtmp_sent_bytes", "Octets sent", it.sent_bytes.count())?;
        let refusals = [
            ("denied", it.denied.count()),
            ("taken", it.taken.count()),
            ("unsupported", it.unsupported.count()),
            ("unavailable", it.unavailable.count()),
            ("not-found", it.not_found.count()),
        ];
        page.counters("rtmp_refusals", "Publishers and players refused, by reason", "reason", refusals)?;
        page.counter("rtmp_superseded", "Publishers replaced by newer ones", it.superseded.count())?;
        page.counter(
            "rtmp_protocol_errors",
            "Connections that broke the protocol",
            it.protocol_errors.count(),
        )?;
        page.counter("rtmp_timeouts", "Connections that were silent for too long", it.timeouts.count())?;
        page.counter(
            "rtmp_malformed_messages",
            "Messages whose media could not be read",
            it.malformed_messages.count(),
        )?;
        page.counter(
            "rtmp_skipped_messages",
            "Messages slow players did not get",
            it.skipped_messages.count(),
        )
    }

    fn broadcasts(&self, page: &mut Page<'_>) -> std::fmt::Result {
        page.gauge(
            "broadcasts",
            "Broadcasts now, those waiting for their encoder included",
            self.registry.list().len() as u64,
        )?;
        page.gauge(
            "broadcast_memory_bytes",
            "Memory that broadcasts hold together",
            self.registry.memory_held(),
        )?;
        page.gauge("broadcast_memory_limit_bytes", "Memory they may hold", self.registry.memory_limit())
    }
}

/// What happens where viewers, or operators, come in.
fn door(page: &mut Page<'_>, who: &str, it: &viewer::Stats) -> std::fmt::Result {
    let named = |what: &str| format!("{who}_{what}");
    page.counter(&named("connections"), "Connections taken", it.accepted.count())?;
    let open = it.accepted.count().saturating_sub(it.closed.count());
    page.gauge(&named("connections_open"), "Connections now", open)?;
    page.counter(&named("turned_away"), "Connections beyond a bound", it.turned_away.count())?;
    page.counter(&named("failed_handshakes"), "TLS handshakes that failed", it.failed_handshakes.count())?;
    page.counter(&named("hasty_connections"), "Connections beyond a bound on new ones", it.hasty.count())?;
    page.counter(
        &named("spent_connections"),
        "Connections ended after their most requests",
        it.spent.count(),
    )?;
    page.counter(
        &named("floods"),
        "HTTP/2 and HTTP/3 connections of control frames and resets",
        it.floods.count(),
    )?;
    let slow = it.slow_heads.count();
    page.counter(&named("slow_heads"), "Connections whose request did not come in time", slow)?;
    page.counter(&named("rude_requests"), "Requests no HTTP client should send", it.rude.count())?;
    page.counter(&named("aborted_responses"), "Responses not taken to their end", it.aborted.count())?;
    page.counter(&named("sent_bytes"), "Octets of responses", it.sent_bytes.count())?;
    let classes = it.responses.iter().zip(["1xx", "2xx", "3xx", "4xx", "5xx"]);
    let counts = classes.map(|(counter, class)| (class, counter.count()));
    page.counters(&named("responses"), "Responses by status", "class", counts)
}

/// Where metrics are written.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> std::fmt::Result {
        let metric = ConstCounter::new(value);
        metric.encode(self.encoder.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> std::fmt::Result {
        let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        metric.encode(self.encoder.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> std::fmt::Result {
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut family = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (value, amount) in values {
            let amount = i64::try_from(amount).unwrap_or(i64::MAX);
            ConstGauge::new(amount).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> std::fmt::Result {
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = self.encoder.encode_descriptor(name, help, None, kind)?;
        for (value, count) in values {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }
}
