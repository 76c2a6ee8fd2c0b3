//! One line per request, written by one task behind a bounded queue.

mod line;

#[cfg(test)]
pub(crate) use line::{example_head, example_record};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use config::observe::{AccessLog as Settings, AccessLogFormat};
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

use crate::viewer::Record;

/// Lines that may wait for the disk: about a second of a busy server. More are dropped and counted; a viewer never
/// waits for a log.
const QUEUE: usize = 16_384;
/// Lines taken from the queue at once, and written with one flush.
const BATCH: usize = 256;

/// Where records go; cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessLog {
    queue: mpsc::Sender<String>,
    format: AccessLogFormat,
    told: Arc<Told>,
}

/// What the queue's two ends tell each other beside records.
#[derive(Debug, Default)]
struct Told {
    /// Lines that were not written.
    dropped: AtomicU64,
    /// Whether the file is to be opened anew before the next line.
    reopen: AtomicBool,
}

impl AccessLog {
    /// Opens the file; the second value writes until every clone of the first is gone.
    ///
    /// # Errors
    /// When the file cannot be opened for appending, with its name.
    pub async fn open(settings: &Settings) -> io::Result<(Self, Writer)> {
        let (queue, lines) = mpsc::channel(QUEUE);
        let told = Arc::<Told>::default();
        let output = open(&settings.file, settings.format).await?;
        let writer = Writer {
            lines,
            told: Arc::clone(&told),
            output,
            file: settings.file.clone(),
            format: settings.format,
        };
        Ok((Self { queue, format: settings.format, told }, writer))
    }

    /// Writes `record` down soon, or counts that it could not.
    pub fn record(&self, record: &Record) {
        match self.queue.try_reserve() {
            // A line is text of its own: a record holds on to what was received with its request.
            Ok(place) => place.send(line::line(record, self.format)),
            Err(_) => drop(self.told.dropped.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Has the file opened anew before the next line is written, for log rotation.
    pub fn reopen(&self) {
        self.told.reopen.store(true, Ordering::Release);
    }

    /// Lines that found the queue full, or the disk failing.
    pub fn dropped(&self) -> u64 {
        self.told.dropped.load(Ordering::Relaxed)
    }
}

/// The task that writes.
pub struct Writer {
    lines: mpsc::Receiver<String>,
    told: Arc<Told>,
    output: Output,
    file: PathBuf,
    format: AccessLogFormat,
}

type Output = BufWriter<Box<dyn AsyncWrite + Send + Unpin>>;

impl Writer {
    /// Writes until nobody can send any more. A write that fails is told once per run of failures.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut healthy = true;
        while self.lines.recv_many(&mut batch, BATCH).await > 0 {
            let written = self.write(&batch).await;
            if let Err(error) = &written {
                self.told.dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
                if healthy {
                    tracing::error!(file = %self.file.display(), %error, "the access log cannot be written");
                }
            }
            healthy = written.is_ok();
            batch.clear();
        }
    }

    async fn write(&mut self, batch: &[String]) -> io::Result<()> {
        if self.told.reopen.swap(false, Ordering::AcqRel) {
            self.output.flush().await?;
            self.output = open(&self.file, self.format).await?;
        }
        for line in batch {
            self.output.write_all(line.as_bytes()).await?;
        }
        self.output.flush().await
    }
}

async fn open(file: &Path, format: AccessLogFormat) -> io::Result<Output> {
    if file == Path::new("-") {
        return Ok(BufWriter::new(Box::new(tokio::io::stdout())));
    }
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let mut output =
        tokio::fs::OpenOptions::new().append(true).create(true).open(file).await.map_err(named)?;
    if output.metadata().await?.len() == 0 {
        output.write_all(line::head(format).as_bytes()).await?;
    }
    Ok(BufWriter::new(Box::new(output)))
}
