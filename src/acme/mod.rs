//! A certificate from an authority, by ACME (RFC 8555): asked for, kept, and renewed before it expires.
//!
//! Takes names; gives a file with a key and a chain, and says when there is another. Nobody waits for it: until there is
//! one, viewers over TLS see the certificates that were configured, or none.

mod challenges;
mod client;
mod lease;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use self::challenges::Challenges;
use self::client::Asking;
use crate::new_file::{self, Readers};

/// How long an authority may take to look at us, and to sign.
const VALIDATION: Duration = Duration::from_secs(120);
/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(600);
/// After a failure it is asked again after this, then twice as long each time: authorities count failures by the hour.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// How often it is seen whether the time has come; a machine may sleep, and its clock be set.
const LOOK: Duration = Duration::from_secs(3600);

/// What is asked for, and of whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The certificate's names.
    pub names: Vec<String>,
    /// Where the authority may write to, such as `mailto:ops@example.com`.
    pub contact: Vec<String>,
    /// The authority's directory.
    pub directory: String,
    /// Who is trusted for the directory itself, beside the public authorities.
    pub authority: Option<PathBuf>,
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Client(Box<dyn std::error::Error + Send + Sync>),
    #[error("the authority says: {0}")]
    Authority(#[from] instant_acme::Error),
    #[error("the authority does not offer to look at {0} over HTTP")]
    NoChallenge(String),
    #[error("the authority did not find us: {0}")]
    NotFound(String),
    #[error("it took longer than {LONGEST:?}")]
    TookTooLong,
    #[error(transparent)]
    System(#[from] io::Error),
    #[error("the account cannot be written down: {0}")]
    Account(#[from] serde_json::Error),
}

/// An account with one authority, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

/// The file that holds key and chain, once there is one, for a server that keeps its state in `state_dir`.
pub fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("acme").join("certificate.pem")
}

/// Keeps a certificate.
pub struct Keeper {
    settings: Settings,
    state_dir: PathBuf,
    challenges: Challenges,
}

impl Keeper {
    /// Who keeps its files in `state_dir` and answers by `challenges`.
    pub const fn new(settings: Settings, state_dir: PathBuf, challenges: Challenges) -> Self {
        Self { settings, state_dir, challenges }
    }

    /// Gets certificates until `stop`, and calls `renewed` after each.
    pub async fn run(self, renewed: impl Fn() + Send + Sync, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let wait = match self.due().duration_since(SystemTime::now()) {
                Ok(wait) => wait.min(LOOK),
                Err(_) => tokio::select! {
                    obtained = self.obtain_in_time() => match obtained {
                        Ok(()) => {
                            tracing::info!(names = self.settings.names.join(", "), "there is a new certificate");
                            renewed();
                            pause = FIRST_PAUSE;
                            // One that is due at once, by a strange clock or authority, is no reason to ask again.
                            LOOK
                        }
                        Err(trouble) => {
                            let wait = pause;
                            pause = (pause * 2).min(LONGEST_PAUSE);
                            let names = self.settings.names.join(", ");
                            tracing::warn!(names, %trouble, ?wait, "there is no new certificate; asking again");
                            wait
                        }
                    },
                    () = stop.cancelled() => return,
                },
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn due(&self) -> SystemTime {
        let leaf = CertificateDer::from_pem_file(file(&self.state_dir));
        leaf.map_or(SystemTime::UNIX_EPOCH, |it| lease::due(&it, &self.settings.names))
    }

    async fn obtain_in_time(&self) -> Result<(), Trouble> {
        tokio::time::timeout(LONGEST, self.obtain()).await.unwrap_or(Err(Trouble::TookTooLong))
    }

    async fn obtain(&self) -> Result<(), Trouble> {
        let directory = self.state_dir.join("acme");
        fs::DirBuilder::new().mode(0o700).recursive(true).create(&directory)?;
        let account = self.account(&directory).await?;
        let names: Vec<_> = self.settings.names.iter().map(|it| Identifier::Dns(it.clone())).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let mut offers = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            // The authority may still remember that a name is ours.
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let challenge = authorization.challenge(ChallengeType::Http01);
            let mut challenge = challenge.ok_or(Trouble::NoChallenge(name))?;
            let answer = challenge.key_authorization();
            offers.push(self.challenges.offer(&challenge.token, answer.as_str()));
            challenge.set_ready().await?;
        }
        let patience = RetryPolicy::new().timeout(VALIDATION);
        if order.poll_ready(&patience).await? != OrderStatus::Ready {
            return Err(Trouble::NotFound(complaints(&mut order).await));
        }
        drop(offers);
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&patience).await?;
        // One file, so that no reader finds a key beside the chain of another.
        Ok(replace(&file(&self.state_dir), &format!("{key}{chain}"))?)
    }

    /// The account of before, or a new one.
    async fn account(&self, directory: &Path) -> Result<Account, Trouble> {
        let file = directory.join("account.json");
        let client = Asking::trusting(self.settings.authority.as_deref()).map_err(Trouble::Client)?;
        let builder = Account::builder_with_http(Box::new(client));
        let kept = fs::read(&file).ok().and_then(|it| serde_json::from_slice::<Kept>(&it).ok());
        if let Some(kept) = kept.filter(|it| it.directory == self.settings.directory) {
            return Ok(builder.from_credentials(kept.credentials).await?);
        }
        let contact: Vec<_> = self.settings.contact.iter().map(String::as_str).collect();
        let asked =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&asked, self.settings.directory.clone(), None).await?;
        let kept = Kept { directory: self.settings.directory.clone(), credentials };
        replace(&file, &serde_json::to_string(&kept)?)?;
        Ok(account)
    }
}

/// What the authority has against each name.
async fn complaints(order: &mut Order) -> String {
    let mut complaints = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let errors = authorization.challenges.iter().filter_map(|it| it.error.as_ref());
        complaints.extend(errors.map(|error| format!("{name}: {error}")));
    }
    if complaints.is_empty() { "it does not say why".into() } else { complaints.join("; ") }
}

/// Writes a secret file whole, or leaves what was there.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    new_file::write(&new, text, Readers::Owner)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, file)
}
