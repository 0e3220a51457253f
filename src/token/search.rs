//! One search for a token: look at what is shared, line up for the right to mint, or wait for the copy that has it.

use crate::error::{ErrorType, WatchError};
use crate::http::origin::Origin;
use crate::timestamp::Timestamp;
use crate::token::lease::{LeaseClock, Queue, Turn};
use crate::token::live::{Life, Live};
use crate::token::record::{Position, SharedToken, TOKEN_LABEL, minted_with};
use crate::token::source::{Core, Excuse, Wanted};
use crate::token::store::{SecretStore, StoreError, Version};
use crate::zoho::credentials::{Credentials, Secret, TokenGrant};
use crate::zoho::data_center::DataCenter;
use crate::zoho::hosts::{self, ApiHost};
use crate::zoho::oauth::TokenEndpoint;
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// What one search leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// The operator's secret as last read: what is left to go by while Secrets Manager is down.
    pub operator: Option<Operator>,
    pub queue: Queue,
    /// Zoho's last refusal that this copy knows of.
    pub quiet: Option<Quiet>,
    /// Refusals in a row that could not be shared.
    pub refused_alone: u32,
    /// A token whose successor this copy could not get without a lease: it lines up like all others.
    pub forfeited: Option<String>,
    /// A version that was warned of already.
    garbage: Option<String>,
}

/// The operator's secret.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    pub version: Version,
    pub secret: Secret,
}

impl Operator {
    pub fn read(version: Version, default: Option<DataCenter>) -> Result<Self, WatchError> {
        let secret = Secret::parse(version.text.expose_secret(), default).map_err(|invalid| {
            WatchError::new(ErrorType::SecretInvalid, invalid.of("the secret that ZOHO_SECRET_ID names"))
        })?;
        Ok(Self { version, secret })
    }
}

/// Until when nobody needs to ask Zoho again, and why.
#[derive(Debug, Clone)]
pub(super) struct Quiet {
    pub credentials: String,
    pub until: Timestamp,
    pub error: WatchError,
    /// Soon over: a call may wait for it.
    pub passing: bool,
}

impl Quiet {
    /// How many faults of the accounts server at one place a call sits out: three requests in all.
    const PATIENT_ATTEMPTS: u32 = 2;

    pub fn new(operator: &Operator, until: Timestamp, error: WatchError, attempt: u32) -> Self {
        let passing = error.kind() == ErrorType::ZohoUnavailable && attempt < Self::PATIENT_ATTEMPTS;
        Self { credentials: operator.version.id.clone(), until, error, passing }
    }
}

/// Where one round of the search led.
#[derive(Debug)]
pub(super) enum Step {
    /// To a token.
    Found(Arc<Live>),
    /// Nowhere yet.
    Wait,
    /// To other credentials than the ones gone by.
    Replaced(Version),
}

/// What is shared.
enum Shared {
    Token(Live),
    /// No token to use: the next one would take this place. `foreign` if the last one is of other credentials.
    Place(Position, bool),
}

/// One search at work.
pub(super) struct Search<V, M> {
    pub core: Arc<Core<V, M>>,
    pub flight: OwnedMutexGuard<Flight>,
    began: Instant,
    rounds: u32,
    faults: u32,
}

/// No search goes on for longer: the call that began it is long over.
const LONGEST_SEARCH: Duration = Duration::from_secs(120);

/// Rounds that Secrets Manager may fail to answer before a copy helps itself.
const FAULTS_BORNE: u32 = 3;

/// The most links of the chain of tokens that are followed in one look.
const LONGEST_CHAIN: u32 = 200;

impl<V: SecretStore, M: TokenEndpoint> Search<V, M> {
    pub fn new(core: Arc<Core<V, M>>, flight: OwnedMutexGuard<Flight>) -> Self {
        Self { core, flight, began: Instant::now(), rounds: 0, faults: 0 }
    }

    /// Searches, and makes what is found the token of the calls to come.
    pub async fn run(mut self, wanted: Wanted) -> Result<Arc<Live>, WatchError> {
        let live = self.find(wanted).await?;
        self.core.adopt(&live);
        Ok(live)
    }

    async fn find(&mut self, mut wanted: Wanted) -> Result<Arc<Live>, WatchError> {
        self.core.excuse(Excuse::Reading);
        let mut operator = match self.core.vault.current().await {
            Ok(version) => Operator::read(version, self.core.settings.data_center)?,
            Err(error) => return self.without_secret(wanted, error).await,
        };
        loop {
            self.flight.operator = Some(operator.clone());
            let credentials = match &operator.secret.grant {
                TokenGrant::Credentials(credentials) => credentials,
                TokenGrant::Static(token) => {
                    let api = self.api(&operator.secret, None);
                    return Ok(Arc::new(Live { token: token.clone(), api, life: None }));
                }
            };
            if let Wanted::After(live) = &wanted {
                if live.outdated(&operator.version.id) {
                    self.core.forget(live);
                    wanted = Wanted::Any;
                } else if !live.refresh_due(self.core.now()) {
                    return Ok(live.clone());
                }
            }
            match (self.round(&operator, credentials, &wanted).await?, &wanted) {
                (Step::Found(live), _) => return Ok(live),
                (Step::Replaced(version), _) => {
                    operator = Operator::read(version, self.core.settings.data_center)?
                }
                (Step::Wait, Wanted::After(live)) => return Ok(live.clone()),
                (Step::Wait, _) if self.began.elapsed() > LONGEST_SEARCH => {
                    return Err(self.core.out_of_time());
                }
                (Step::Wait, _) => self.pause().await,
            }
        }
    }

    /// Short at first, for a mint takes a fraction of a second; each copy at a pace of its own.
    async fn pause(&mut self) {
        let longest = 100_u64.saturating_mul(self.rounds.saturating_add(2).into()).min(1_000);
        self.rounds = self.rounds.saturating_add(1);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(longest / 2..=longest))).await;
    }

    async fn round(
        &mut self,
        operator: &Operator,
        credentials: &Credentials,
        wanted: &Wanted,
    ) -> Result<Step, WatchError> {
        let (place, foreign) = match self.look(operator, wanted).await {
            Ok(Shared::Token(live)) => return Ok(Step::Found(Arc::new(live))),
            Ok(Shared::Place(place, foreign)) => (place, foreign),
            // Many copies at once: the very case in which they must not each mint.
            Err(StoreError::Throttled(_)) => return Ok(Step::Wait),
            Err(StoreError::Unavailable(_)) if self.faults < FAULTS_BORNE => {
                self.faults = self.faults.saturating_add(1);
                return Ok(Step::Wait);
            }
            Err(error) => return self.mint_alone(operator, credentials, wanted, error.message()).await,
        };
        // Either that token is of replaced credentials, or ours are.
        if foreign && let Some(version) = self.replacement(operator).await {
            return Ok(Step::Replaced(version));
        }
        if let Some(step) = self.heed_refusal(operator, wanted) {
            return step;
        }
        let (now, lease) = (self.core.now(), self.lease_duration());
        let turn = match self.own_refresh(wanted, &place) {
            Some(lease) => Turn::Mint { attempt: None, lease },
            None => self.flight.queue.line_up(&self.core.vault, &place, now, lease).await,
        };
        match turn {
            Turn::Mint { attempt, lease } => {
                self.mint_for(&place, attempt, lease, operator, credentials, wanted).await
            }
            Turn::Wait => {
                self.core.excuse(Excuse::Waiting);
                Ok(Step::Wait)
            }
            Turn::Settled { error, until, attempt } => {
                self.flight.quiet = Some(Quiet::new(operator, until, error, attempt));
                self.heed_refusal(operator, wanted).unwrap_or(Ok(Step::Wait))
            }
            Turn::Alone(why) => self.mint_alone(operator, credentials, wanted, &why).await,
        }
    }

    /// Reads the label, and follows the chain from there: a label can be moved or removed by hand, or read late.
    async fn look(&mut self, operator: &Operator, wanted: &Wanted) -> Result<Shared, StoreError> {
        let mut place = Position { credentials: operator.version.id.clone(), follows: String::new() };
        let mut foreign = false;
        let mut tip = self.core.vault.labelled(TOKEN_LABEL).await?;
        for _ in 0..LONGEST_CHAIN {
            if let Some(version) = tip {
                if let Some(live) = self.accept(&version, operator, wanted) {
                    return Ok(Shared::Token(live));
                }
                foreign = !minted_with(&version, &operator.version);
                place.follows = version.id;
            }
            tip = self.core.vault.version(&place.token_id()).await?;
            if tip.is_none() {
                break;
            }
        }
        Ok(Shared::Place(place, foreign))
    }

    /// The shared token as one to use, if it is one and the wanted one.
    pub fn accept(&mut self, version: &Version, operator: &Operator, wanted: &Wanted) -> Option<Live> {
        let Some(shared) = SharedToken::parse(&version.text) else {
            if self.flight.garbage.as_ref() != Some(&version.id) {
                self.flight.garbage = Some(version.id.clone());
                tracing::warn!(
                    version = %version.id,
                    "the version of the secret labelled {TOKEN_LABEL} holds no token; a new one takes the label over. Nothing but this function should write it"
                );
            }
            return None;
        };
        if !minted_with(version, &operator.version) || wanted.excludes(&shared.token) {
            return None;
        }
        let api = self.api(&operator.secret, shared.api_domain.as_ref());
        let credentials = operator.version.id.clone();
        let life =
            Life::new(credentials, version.created, shared.expires_at, Some(version.id.clone()), false);
        let live = Live { token: shared.token, api, life: Some(life) };
        live.usable(self.core.now()).then_some(live)
    }

    /// The operator's secret, if it is another by now.
    pub async fn replacement(&self, operator: &Operator) -> Option<Version> {
        self.core.vault.current().await.ok().filter(|version| version.id != operator.version.id)
    }

    /// What a refusal means that still stands: an error, or a short wait.
    pub fn heed_refusal(&self, operator: &Operator, wanted: &Wanted) -> Option<Result<Step, WatchError>> {
        let quiet = self.flight.quiet.as_ref()?;
        if quiet.credentials != operator.version.id || quiet.until <= self.core.now() {
            return None;
        }
        if !quiet.passing || matches!(wanted, Wanted::After(_)) {
            return Some(Err(quiet.error.clone()));
        }
        self.core.excuse(Excuse::Failed(quiet.error.clone()));
        Some(Ok(Step::Wait))
    }

    /// The copy that minted the shared token refreshes it without a lease, until the others begin to think of it.
    fn own_refresh(&self, wanted: &Wanted, place: &Position) -> Option<LeaseClock> {
        let Wanted::After(live) = wanted else { return None };
        let life = live.life.as_ref()?;
        if life.version.as_ref() != Some(&place.follows) || self.flight.forfeited == life.version {
            return None;
        }
        let now = self.core.now();
        let left = u64::try_from(life.mine_until?.seconds_since(now)).ok()?;
        (left > 0).then(|| LeaseClock::start(now, Duration::from_secs(left).min(self.lease_duration())))
    }

    /// Secrets Manager refuses or does not answer: goes on with the credentials in memory where that can be.
    async fn without_secret(&mut self, wanted: Wanted, error: StoreError) -> Result<Arc<Live>, WatchError> {
        if let Wanted::After(live) = wanted {
            tracing::warn!(
                error = error.message(),
                "the secret could not be read; the present access token still lives"
            );
            return Ok(live);
        }
        let Some(operator) =
            self.flight.operator.clone().filter(|_| matches!(error, StoreError::Unavailable(_)))
        else {
            return Err(error.into_error());
        };
        match &operator.secret.grant {
            TokenGrant::Static(_) => Err(error.into_error()),
            TokenGrant::Credentials(credentials) => {
                match self.mint_alone(&operator, credentials, &wanted, error.message()).await? {
                    Step::Found(live) => Ok(live),
                    Step::Wait | Step::Replaced(_) => Err(error.into_error()),
                }
            }
        }
    }

    /// `ZOHO_API_DOMAIN`, the secret's, the token reply's, the data centre's.
    pub fn api(&self, secret: &Secret, token_reply: Option<&Origin>) -> ApiHost {
        let accounts = self.accounts(secret).origin;
        hosts::api(self.core.settings.api_domain.as_ref(), secret, &accounts, token_reply)
    }
}
