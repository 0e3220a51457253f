//! Zoho's side: its API, its accounts server, and what their answers mean.

pub mod accounts;
pub mod answer;
pub mod api;
pub mod data_center;
pub mod retry;
