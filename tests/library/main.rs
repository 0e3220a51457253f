//! The library as its users see it: one program, because each costs the gate seconds of linking.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod messages;
mod module_order;
mod pacing;
mod robustness;
#[cfg(feature = "schemas")]
mod schemas;
mod tls;
mod zoho_api;
