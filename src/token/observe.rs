//! One look at the secret: reads as little as the decision needs, and starts the timers of what is seen for the first
//! time.

use crate::token::cache::{CachedToken, Owner};
use crate::token::clock::Timer;
use crate::token::context::Context;
use crate::token::lease::{Acquired, LeaseWaiter, age};
use crate::token::plan::{Memory, Need, Observed, StoredCredentials};
use crate::token::record::{
    LEASE_LABEL, MAX_VERSIONS, MintFailure, SharedToken, Slot, TOKEN_LABEL, is_ours, issued_for,
};
use crate::token::store::{Backend, SecretStore, StoreError, Version};
use crate::zoho::credentials::{Secret, TokenGrant};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;

/// Credentials that were read so recently are not read again.
const FRESH: Duration = Duration::from_secs(2);

/// Looks at the credentials, the newest token, and the newest lease and failure of the next slot, in this order, until
/// it is clear what to do. `need` becomes [`Need::Any`] if the present token belongs to replaced credentials.
pub(super) async fn observe<B: Backend>(
    context: &Context<B>,
    memory: &mut Memory,
    need: &mut Need,
) -> Result<Observed, StoreError> {
    let now = context.now();
    let only_credentials = matches!(need, Need::Successor(current) if !current.is_refresh_due(now.at));
    let labeled = async {
        // Not for credentials that were static when they were last read, either.
        let is_needed = !only_credentials && memory.unshared.is_none() && !memory.is_static();
        if is_needed { context.backend.store().labeled(TOKEN_LABEL).await } else { Ok(None) }
    };
    let known = memory.credentials.clone().filter(|_| memory.is_fresh(now));
    let (credentials, labeled) = match known {
        Some(credentials) => (credentials, labeled.await),
        // Together: a cold start waits for one response time, not for two.
        None => match tokio::join!(context.backend.store().current(), labeled) {
            (Ok(version), labeled) => (parse(context, version, memory)?, labeled),
            (Err(error), _) => return Err(error),
        },
    };
    if !memory.is_fresh(now) {
        (memory.credentials, memory.fresh) = (Some(credentials.clone()), Some(Timer::start(now, FRESH)));
    }
    if let TokenGrant::Static(token) = &credentials.secret.grant {
        let api = context.api(&credentials.secret, None);
        let token = Arc::new(CachedToken { token: token.clone(), api, issued: None });
        return Ok(Observed { credentials, token: Some(token) });
    }
    if let Need::Successor(current) = need {
        if !current.belongs_to(&credentials.version.id) {
            context.cache.forget(current);
            *need = Need::Any;
        } else if only_credentials {
            let token = Some(current.clone());
            return Ok(Observed { credentials, token });
        }
    }
    let token = match labeled {
        _ if memory.unshared.is_some() => None,
        Err(StoreError::Denied(why)) => {
            memory.unshared = Some(why);
            None
        }
        labeled => find_token(context, memory, need, &credentials, labeled?).await?,
    };
    Ok(Observed { credentials, token })
}

fn parse<B>(
    context: &Context<B>,
    version: Version,
    memory: &mut Memory,
) -> Result<Arc<StoredCredentials>, StoreError> {
    if is_ours(&version.id) {
        let known = memory.credentials.clone();
        let id = known.as_ref().map_or("<version ID of the credentials>", |known| &known.version.id);
        let why = label_moved(&version.id, id);
        memory.unshared = Some(why.clone());
        return known.ok_or(StoreError::Denied(why));
    }
    match Secret::parse(version.text.expose_secret(), context.settings.data_center) {
        Ok(secret) => Ok(Arc::new(StoredCredentials { version, secret })),
        Err(invalid) => Err(StoreError::Denied(invalid.of("the secret that ZOHO_SECRET_ID names"))),
    }
}

/// What to do if `AWSCURRENT` is on a version that this function stored.
pub(super) fn label_moved(ours: &str, credentials: &str) -> String {
    format!(
        "the label AWSCURRENT is on the version {ours}, which this function stored, instead of on the credentials. Move it \
         back: aws secretsmanager update-secret-version-stage --secret-id \"$ZOHO_SECRET_ID\" --version-stage AWSCURRENT \
         --remove-from-version-id {ours} --move-to-version-id {credentials}"
    )
}

/// Follows the chain of tokens: from the labeled one, if it belongs to the credentials, otherwise from the first. A
/// label can be late, and somebody can move or remove it; the IDs of the chain cannot be wrong.
async fn find_token<B: Backend>(
    context: &Context<B>,
    memory: &mut Memory,
    need: &Need,
    credentials: &StoredCredentials,
    labeled: Option<Version>,
) -> Result<Option<Arc<CachedToken>>, StoreError> {
    let mut slot = Slot::first(&credentials.version.id);
    let mut newest =
        labeled.filter(|version| is_token(version, memory) && issued_for(version, &credentials.version));
    for _ in 0..MAX_VERSIONS {
        if let Some(version) = newest {
            if let Some(token) = accept(context, memory, need, credentials, &version) {
                return Ok(Some(token));
            }
            slot.after = version.id;
        }
        newest = context.backend.store().version(&slot.token_id()).await?;
        if newest.is_none() {
            break;
        }
    }
    // Out of the memory while it is at work: a look that fails leaves nothing half-done.
    let known = memory.race.take().filter(|race| *race.slot() == slot);
    let mut race = known.unwrap_or_else(|| LeaseWaiter::new(slot));
    let result = find_lease(context, memory, &mut race).await;
    memory.race = Some(race);
    result.map(|()| None)
}

fn is_token(version: &Version, memory: &mut Memory) -> bool {
    let is_token = SharedToken::parse(&version.text).is_some();
    if !is_token && memory.warned_version.as_ref() != Some(&version.id) {
        memory.warned_version = Some(version.id.clone());
        tracing::warn!(
            version = %version.id,
            "the version of the secret labeled {TOKEN_LABEL} does not contain a token; the next token takes over the \
             label. Only this function should write it"
        );
    }
    is_token
}

/// The shared token, if it can be used and is accepted.
fn accept<B: Backend>(
    context: &Context<B>,
    memory: &Memory,
    need: &Need,
    credentials: &StoredCredentials,
    version: &Version,
) -> Option<Arc<CachedToken>> {
    let shared = SharedToken::parse(&version.text).filter(|shared| need.accepts(&shared.token))?;
    let token = match memory.minted_token() {
        Some(ours) if ours.token == shared.token => ours.clone(),
        _ => {
            let owner = is_ours(&version.id).then_some(Owner::Another);
            let credentials = (credentials.version.id.as_str(), &credentials.secret);
            Arc::new(context.cached(&shared, credentials, version.created, owner))
        }
    };
    token.is_usable(context.now().at).then_some(token)
}

/// Goes to the latest term of the slot: one that is free, or whose lease or failure is still in effect.
async fn find_lease<B: Backend>(
    context: &Context<B>,
    memory: &mut Memory,
    race: &mut LeaseWaiter,
) -> Result<(), StoreError> {
    for _ in 0..MAX_VERSIONS {
        let (now, term) = (context.now(), race.term());
        if race.must_read() {
            let found = context.backend.store().version(&race.slot().lease_id(term)).await?;
            let is_old = found.as_ref().is_some_and(|lease| age(lease, now) > context.lease_duration());
            if term == 0
                && is_old
                && let Some(latest) = latest_term(context, race.slot()).await?
            {
                race.advance_to(latest);
                continue;
            }
            race.saw(found.as_ref(), context.lease_duration(), now);
        }
        let left = match race.acquired(now) {
            Acquired::Free => return Ok(()),
            Acquired::Own(lease) if lease.left(now) >= context.shortest_mint() => return Ok(()),
            // Too late for a request, and nobody else has it: on to the next one.
            Acquired::Own(_) => Duration::ZERO,
            Acquired::Held(left) => left,
        };
        let stored = context.backend.store().version(&race.slot().failure_id(term)).await?;
        match stored.and_then(|stored| MintFailure::parse(&stored, term, now)) {
            Some(failure) => {
                memory.note_failure(race.slot(), failure);
                if memory.is_cooling_down(race.slot(), term, now) {
                    return Ok(());
                }
            }
            None if !left.is_zero() => return Ok(()),
            None => {}
        }
        race.advance_to(term.saturating_add(1));
    }
    Ok(())
}

/// The term that the label points to, if it is a later one of this slot: an environment that starts late does not
/// follow all of them.
async fn latest_term<B: Backend>(context: &Context<B>, slot: &Slot) -> Result<Option<u32>, StoreError> {
    let latest = context.backend.store().labeled(LEASE_LABEL).await?;
    Ok(latest.and_then(|latest| slot.term_of(&latest.id)).filter(|term| *term > 0))
}
