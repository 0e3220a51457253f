//! `watch-job login`: credentials from Zoho, by its device flow or with the one-time code of a self client.
//! docs/terminal.md says what of it was never tried with a live Zoho.

use crate::arguments::Settings;
use crate::credentials::{invalid, read};
use crate::view::View;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::{HttpClient, HttpRequest};
use mass_change_owner_status::redact::{self, quote};
use mass_change_owner_status::{operation, zoho::data_center::DataCenter};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, IsTerminal};
use std::{path::Path, time::Duration};

/// A client that is registered at Zoho, as in the console's self_client.json. Only a self client has a code.
#[derive(Default, Deserialize)]
struct Client {
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    code: String,
}

impl Client {
    /// What neither the options nor `code` say comes from the terminal, or from standard input. Blocks.
    fn new(options: [Option<String>; 2], code: Option<&Path>, view: &View) -> Result<Self, WatchError> {
        let no_code = |_| invalid("--code is neither a code nor a file with a `code`. Generate one in the API console");
        let mut client = match code.map(|code| (code, code.to_string_lossy())) {
            None => Self::default(),
            Some((_, code)) if redact::contains_secret(&code, &[]) => Self { code: code.into(), ..Self::default() },
            Some((path, _)) => serde_json::from_str(&read(path)?.0).map_err(no_code)?,
        };
        let fields = [("client_id", &mut client.client_id), ("client_secret", &mut client.client_secret)];
        for ((name, value), option) in fields.into_iter().zip(options) {
            *value = option.unwrap_or(std::mem::take(value));
            if value.is_empty() {
                view.err(&format!("Enter {name}:"));
                if name == "client_secret" && io::stdin().is_terminal() {
                    *value = rpassword::read_password().unwrap_or_default();
                } else {
                    let _none = io::stdin().read_line(value);
                }
                *value = value.trim().to_owned();
            }
        }
        Ok(client)
    }

    /// What exchanges a code for tokens.
    fn form<'a>(&'a self, grant_type: &'a str, code: &'a str) -> [(&'a str, &'a str); 4] {
        let (id, secret) = (&*self.client_id, &*self.client_secret);
        [("client_id", id), ("client_secret", secret), ("grant_type", grant_type), ("code", code)]
    }
}

/// Zoho asks for this much between two polls (docs/zoho-api.md, "OAuth"), whatever interval it names.
const SLOW: Duration = Duration::from_secs(30);

/// Gets credentials and returns them as the JSON of a secret.
pub(crate) async fn log_in(
    options: [Option<String>; 2],
    code: Option<&Path>,
    settings: &Settings,
    view: &View,
) -> Result<String, WatchError> {
    let client = Client::new(options, code, view)?;
    let (data_center, answer) = if client.code.is_empty() {
        device_flow(&client, settings, view).await?
    } else {
        let data_center = settings.config.zoho.data_center.unwrap_or_default();
        let form = client.form("authorization_code", &client.code);
        (data_center, post(settings, data_center, "/oauth/v2/token", &form).await?)
    };
    let (id, secret, token) = (&client.client_id, &client.client_secret, text(&answer, "refresh_token"));
    if !token.is_empty() {
        let name = data_center.name;
        let json = json!({"client_id": id, "client_secret": secret, "refresh_token": token, "data_center": name});
        return Ok(json.to_string());
    }
    let advice = match text(&answer, "error") {
        "access_denied" | "expired" => "Run the command again, and accept the request in the browser, within minutes",
        "invalid_code" => "A code works once, for minutes. Generate another",
        _ => "Check the client: its ID, secret, and type (Non-browser Application; a Self Client needs --code)",
    };
    let returned = ["error", "error_description"].map(|name| quote(text(&answer, name))).join(" ");
    let (returned, names) = (returned.trim(), DataCenter::names());
    let message = format!("Zoho refused the login ({returned}). {advice}, in its data center (--data-center {names})");
    Err(WatchError::new(ErrorType::TokenRejected, message))
}

/// Shows an address and a code, and polls until somebody has accepted or declined, or Zoho no longer waits.
async fn device_flow(client: &Client, settings: &Settings, view: &View) -> Result<(DataCenter, Value), WatchError> {
    let config = &settings.config.zoho;
    let named = config.data_center.or(config.accounts_domain.is_some().then(DataCenter::default));
    let (mut data_center, mut begun) = (DataCenter::default(), Value::Null);
    let form = [("grant_type", "device_request"), ("client_id", &*client.client_id), ("scope", operation::SCOPE)];
    let form = [&form[..], &[("access_type", "offline"), ("prompt", "consent")]].concat();
    // Whichever data center knows the client is the one. The others do not see its secret.
    for candidate in DataCenter::ALL.into_iter().filter(|one| named.is_none_or(|named| named == *one)) {
        data_center = candidate;
        begun = post(settings, candidate, "/oauth/v3/device/code", &form).await?;
        if text(&begun, "error") != "invalid_client" {
            break;
        }
    }
    let [code, user_code, page] = ["device_code", "user_code", "verification_url"].map(|name| text(&begun, name));
    if code.is_empty() {
        return Ok((data_center, begun));
    }
    view.err(&format!("Open {} and enter the code {}.", quote(page), quote(user_code)));
    let interval = begun.get("interval").and_then(Value::as_u64);
    let mut pause = interval.map_or(SLOW, |interval| Duration::from_millis(interval.clamp(1_000, 30_000)));
    loop {
        tokio::time::sleep(pause).await;
        let form = client.form("device_token", code);
        // An outage does not end the wait.
        let Ok(answer) = post(settings, data_center, "/oauth/v3/device/token", &form).await else { continue };
        match (text(&answer, "error"), DataCenter::named(text(&answer, "user_location"))) {
            ("authorization_pending", _) => {}
            ("slow_down", _) => pause = SLOW,
            ("other_dc", Some(other)) if other != data_center => data_center = other,
            _ => return Ok((data_center, answer)),
        }
    }
}

/// One request, in a form body: a query would end up in logs. What is not JSON of Zoho's is an outage.
async fn post(settings: &Settings, at: DataCenter, path: &str, form: &[(&str, &str)]) -> Result<Value, WatchError> {
    let config = &settings.config.zoho;
    let host = config.accounts_domain.clone().unwrap_or_else(|| at.accounts_origin());
    let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let sent = settings.config.connections.send(HttpRequest {
        method: Method::POST,
        origin: &host,
        path: path.to_owned(),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish(),
        timeout: config.request_timeout,
    });
    let what = match sent.await.map(|response| (serde_json::from_slice(&response.body), response.status)) {
        Ok((Ok(answer), status)) if !status.is_server_error() => return Ok(answer),
        // The body is not quoted: it may hold a token.
        Ok((_, status)) => format!("HTTP {status}"),
        Err(error) => error.to_string(),
    };
    let message = format!("{host} did not answer as documented ({what}). Check the network, or try again later");
    Err(WatchError::new(ErrorType::ZohoUnavailable, message))
}

/// A field that is text; empty if there is none.
fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
