//! What all acquisitions of a process share: the two services, the settings, the clocks, and the cache.

use crate::http::Origin;
use crate::timestamp::{Clock, Timestamp};
use crate::token::cache::{CachedToken, Issued, TokenCache};
use crate::token::chain::Stored;
use crate::token::clock::Now;
use crate::token::record::{Identity, Record, RecordKind};
use crate::zoho::credentials::{AccessToken, Secret};
use crate::zoho::{ZohoSettings, hosts};
use std::sync::Arc;
use tokio::time::Instant;

/// What the store is used for besides the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// A token that others share is used, if there is one. Nothing is stored.
    ReadOnly,
    /// Tokens are shared.
    ReadWrite,
}

pub(crate) struct Context<S, H> {
    pub store: S,
    pub http: H,
    pub settings: ZohoSettings,
    pub sharing: Sharing,
    pub clock: Clock,
    pub(super) cache: TokenCache,
}

impl<S, H> Context<S, H> {
    pub(super) fn now(&self) -> Now {
        Now { at: (self.clock)(), instant: Instant::now().into_std() }
    }

    /// The credentials of this version.
    pub(super) fn stored(&self, version: &str, secret: Secret) -> Stored {
        let accounts = hosts::accounts(self.settings.accounts_domain.as_ref(), &secret);
        let api = hosts::api(self.settings.api_domain.as_ref(), &secret, &accounts, None);
        let identity = Identity::new(version, &accounts.origin, &api.origin);
        Stored { secret, accounts, identity }
    }

    /// The token of a record, if it is one.
    pub(super) fn shared(&self, record: &Record, is_own: bool, stored: &Stored) -> Option<Arc<CachedToken>> {
        let RecordKind::Token { access_token, api_domain, expires_at } = &record.content.kind else {
            return None;
        };
        let ends = Timestamp::parse(expires_at)?;
        let issued = Issued::new(is_own, record.created, ends, self.now().at, fastrand::f64());
        let api_domain = api_domain.as_ref().and_then(|text| Origin::parse(text).ok());
        Some(self.cached(AccessToken::parse(access_token)?, Some(issued), api_domain.as_ref(), stored))
    }

    /// `named` is the API host that a token response named.
    pub(super) fn cached(
        &self,
        token: AccessToken,
        issued: Option<Issued>,
        named: Option<&Origin>,
        stored: &Stored,
    ) -> Arc<CachedToken> {
        let variable = self.settings.api_domain.as_ref();
        let api = hosts::api(variable, &stored.secret, &stored.accounts, named);
        Arc::new(CachedToken { token, api, issued })
    }
}
