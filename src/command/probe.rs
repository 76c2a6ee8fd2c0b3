//! `levada probe`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use config::origin::{HttpOrigin, OriginKind};
use config::{Found, Sources};
use packager::vod::{Report, TrackReport};

use crate::origin::vod::Vod;

/// Say what is in a film, what plays it, and what is wrong with it: a file, a set of files, or either at a web server, of
/// which only what is needed is read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada probe film.mp4\n  levada probe film.set.json\n  \
                        levada probe --json https://media.example.com/films/film.mp4")]
pub(super) struct Arguments {
    /// A file, or its URL.
    #[arg(value_name = "FILE|URL")]
    what: String,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (titles, path) = open(&arguments.what)?;
    let inspected = super::block_on(async { Ok(titles.inspect(&path).await) })?;
    let (report, files) = inspected.map_err(|sentence| anyhow!(sentence))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", in_words(&report, &files)?);
    }
    Ok(())
}

/// Where the film is, and its name there.
pub(super) fn open(what: &str) -> anyhow::Result<(Vod, String)> {
    if let Some((scheme @ ("http" | "https"), rest)) = what.split_once("://") {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.split(['?', '#']).next().unwrap_or_default();
        return Ok((Vod::of_server(server(scheme, authority)?), path.to_owned()));
    }
    let file = std::path::absolute(Path::new(what)).with_context(|| what.to_owned())?;
    let name = file.file_name().and_then(|it| it.to_str()).map(str::to_owned);
    let (Some(name), Some(directory)) = (name, file.parent()) else { bail!("{what} is no file") };
    if !file.exists() {
        bail!("there is no {what}");
    }
    Ok((Vod::new(PathBuf::from(directory)), name))
}

/// A web server as one would configure it.
fn server(scheme: &str, authority: &str) -> anyhow::Result<HttpOrigin> {
    let usual = if scheme == "http" { "80" } else { "443" };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, usual),
    };
    let text = format!(
        "[[origin]]\nid = \"probe\"\nkind = \"http\"\ndomain_name = {host:?}\n{scheme}_port = {port}\n\
         origin_protocol_policy = \"{scheme}-only\"\n[[distribution]]\ndefault_behavior = {{ target_origin = \"probe\" }}\n"
    );
    let root = Path::new("/");
    let sources = Sources {
        file: Some(("probe", &text)),
        base: root,
        here: root,
        environment: Vec::new(),
        sets: &[],
        look: &|_| Found::Nothing,
    };
    let config =
        config::resolve(&sources).map_err(|_| anyhow!("{authority:?} is no host of a web server"))?;
    match config.origins.into_iter().map(|it| it.kind).next() {
        Some(OriginKind::Http(settings)) => Ok(*settings),
        _ => bail!("{authority:?} is no host of a web server"),
    }
}

fn in_words(report: &Report, files: &[String]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{} of {}", clock(report.seconds), files.join(", "))?;
    for it in &report.tracks {
        let shape = shape(it);
        let language = if it.language == "und" { "" } else { &it.language };
        let rate = format!("{} (peak {})", rate(it.average_bit_rate), rate(it.peak_bit_rate));
        let line = format!("  {:<3} {:<18} {shape:<28} {rate:<32} {language}", it.name, it.format);
        writeln!(text, "{}", line.trim_end())?;
        let segments = if it.segments == 1 { "segment" } else { "segments" };
        writeln!(
            text,
            "      {}; {} {segments}, at most {:.1} s; played by: {}",
            it.codec, it.segments, it.longest_segment, it.players
        )?;
    }
    for it in &report.left_out {
        let file = files.get(it.file).map_or("", String::as_str);
        writeln!(text, "  not played: the track at byte {} of {file}: {}", it.offset, it.reason)?;
    }
    if report.remarks.is_empty() && report.left_out.is_empty() {
        writeln!(text, "nothing is wrong with it")?;
    }
    report.remarks.iter().try_for_each(|it| writeln!(text, "  note: {it}"))?;
    Ok(text)
}

fn shape(it: &TrackReport) -> String {
    if let Some(picture) = &it.picture {
        let rate = picture.frame_rate.map(|it| format!(", {} fps", trimmed(it))).unwrap_or_default();
        let range = if picture.range == "SDR" { String::new() } else { format!(", {}", picture.range) };
        return format!("{}x{}{rate}{range}", picture.width, picture.height);
    }
    it.sound.as_ref().map_or_else(String::new, |it| {
        let channels = if it.channels == 1 { "mono".into() } else { format!("{} channels", it.channels) };
        format!("{} kHz, {channels}", trimmed(f64::from(it.sample_rate) / 1_000.0))
    })
}

/// At most three decimals, and none that say nothing.
fn trimmed(value: f64) -> String {
    format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn rate(bits: u64) -> String {
    if bits >= 1_000_000 {
        format!("{} Mbit/s", trimmed((bits as f64 / 10_000.0).round() / 100.0))
    } else {
        format!("{} kbit/s", bits / 1_000)
    }
}

/// Hours, minutes and seconds.
fn clock(seconds: f64) -> String {
    let milliseconds = (seconds * 1_000.0).round() as u64;
    let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
    format!("{}:{:02}:{:02}.{rest:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_printed_as_people_read_them() {
        assert_eq!([0.0, 59.9996, 3_725.5].map(clock), ["0:00:00.000", "0:01:00.000", "1:02:05.500"]);
        assert_eq!(
            [999, 128_400, 1_500_000, 12_345_678].map(rate),
            ["0 kbit/s", "128 kbit/s", "1.5 Mbit/s", "12.35 Mbit/s"]
        );
        assert_eq!([25.0, 29.97, 44.1].map(trimmed), ["25", "29.97", "44.1"]);
    }

    #[test]
    fn a_url_names_a_server_and_a_file() {
        let port = |what| {
            let HttpOrigin { domain_name, http_port, https_port, .. } = server("https", what).unwrap();
            (domain_name, http_port, https_port)
        };
        assert_eq!(port("a.example"), ("a.example".into(), 80, 443));
        assert_eq!(port("a.example:8443"), ("a.example".into(), 80, 8443));
        assert!(server("http", "a b").is_err());
        assert_eq!(open("http://a.example/b/c.mp4?d=e").unwrap().1, "b/c.mp4");
        assert!(open("nothing.mp4").is_err());
    }
}
