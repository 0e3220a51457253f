//! Whatever a caller sends or a server returns: a result or an error by its public name, one line, never a panic.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use mass_change_owner_status::error::ErrorType;
use mass_change_owner_status::timestamp::Timestamp;
use mass_change_owner_status::watch::ids::Location;
use mass_change_owner_status::watch::job::JobStatus;
use mass_change_owner_status::watch::job::Status;
use mass_change_owner_status::watch::request::Request;
use mass_change_owner_status::zoho::credentials::Secret;
use mass_change_owner_status::zoho::data_center::DataCenter;
use mass_change_owner_status::zoho::hosts::{AccountsHost, ApiHost, HostSource};
use mass_change_owner_status::zoho::oauth::{self, TokenResponse};
use mass_change_owner_status::zoho::response::{self, StatusError, StatusResponse};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// JSON of any shape, built from the keys and words that the code looks for and from anything else.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "Leads",
            "1",
            "error",
            "COMPLETED",
            "INVALID_TOKEN",
            "2026-11-23T10:00:00Z",
            "{}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop_oneof![
            prop::sample::select(vec![
                "module",
                "job_id",
                "schedule_arn",
                "notify",
                "source",
                "detail-type",
                "detail",
                "checks",
                "first_checked_at",
                "announcement",
                "data",
                "Status",
                "Total_Count",
                "code",
                "message",
                "details",
                "status",
                "error",
                "access_token",
                "expires_in",
                "client_id",
                "refresh_token",
                "retry_after",
            ])
            .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Result<JobStatus, Box<StatusError>> {
    let host = ApiHost {
        origin: DataCenter::default().api_origin(),
        source: HostSource::Variable("ZOHO_API_DOMAIN"),
        conflicting: None,
    };
    response::classify(&StatusResponse {
        host: &host,
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body,
        now: Timestamp::now(),
        secrets: &["token"],
    })
}

fn is_one_short_line(message: &str) {
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(message.chars().count() < 1_500, "{message:?}");
}

proptest! {
    #[test]
    fn any_payload_is_a_request_or_invalid_input(payload in any_json()) {
        if let Err(rejected) = Request::parse(&payload.to_string(), Timestamp::now(), &Location::default()).job {
            prop_assert_eq!(rejected.error.kind(), ErrorType::InvalidInput);
            is_one_short_line(rejected.error.message());
        }
    }

    #[test]
    fn any_text_is_answered(payload in any::<String>()) {
        prop_assert!(Request::parse(&payload, Timestamp::now(), &Location::default()).job.is_err());
    }

    #[test]
    fn any_status_response_is_a_status_or_an_error(status in 100_u16..600, body in any_json(), wait in any::<String>()) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&wait) {
            headers.insert(RETRY_AFTER, value);
        }
        match classify(status, &headers, body.to_string().as_bytes()) {
            Ok(job) => {
                prop_assert!((200..300).contains(&status));
                prop_assert_eq!(Status::normalize(job.status.as_str()).unwrap(), job.status);
            }
            Err(error) => is_one_short_line(error.error.message()),
        }
    }

    #[test]
    fn any_bytes_are_an_error(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..400)) {
        is_one_short_line(classify(status, &HeaderMap::new(), &body).unwrap_err().error.message());
    }

    #[test]
    fn any_token_response_is_a_token_or_an_error_without_the_credentials(
        status in 100_u16..600, body in any_json(), echo in any::<bool>()
    ) {
        let echoed = json!({"error": "client-one", "error_description": ["client-one", body]});
        let body = if echo { echoed } else { body }.to_string();
        let host = AccountsHost {
            origin: DataCenter::default().accounts_origin(),
            source: HostSource::Variable("ZOHO_ACCOUNTS_DOMAIN"),
        };
        let response = TokenResponse {
            host: &host,
            status: StatusCode::from_u16(status).unwrap(),
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
            now: Timestamp::now(),
            secrets: &["client-one"],
        };
        match oauth::classify(&response) {
            Ok(issued) => prop_assert!((1..=86_400).contains(&issued.lifetime.as_secs())),
            Err(error) => {
                is_one_short_line(error.error.message());
                prop_assert!(!error.error.message().contains("client-one"));
            }
        }
    }

    #[test]
    fn an_invalid_secret_is_never_quoted(text in "hunter2[ -~]{0,40}|[\\[{'\"%\u{feff}]{1,2}.{0,40}hunter2.{0,40}[}\"']{0,2}") {
        if let Err(invalid) = Secret::parse(&text, None) {
            prop_assert!(!invalid.to_string().contains("hunter2"), "{}", invalid);
        }
    }
}
