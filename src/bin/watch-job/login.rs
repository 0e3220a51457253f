//! `watch-job login`: credentials from Zoho, by its device flow or with the one-time code of a self client.
//! docs/terminal.md says what of it was never tried with a live Zoho.

use crate::arguments::Settings;
use crate::files;
use crate::view::View;
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::{HttpClient, Origin, Request, summary};
use mass_change_owner_status::redact;
use mass_change_owner_status::watch::format::duration;
use mass_change_owner_status::zoho::credentials::SCOPE;
use mass_change_owner_status::zoho::data_center::DataCenter;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The options of `watch-job login`.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Login {
    /// Client ID from Zoho's API console; asked for if it is missing
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Client secret; asked for, and not shown, if it is missing
    #[arg(long, value_name = "SECRET")]
    client_secret: Option<String>,
    /// One-time code of a self client, or the console's self_client.json (- for standard input)
    #[arg(long, value_name = "CODE_OR_FILE")]
    code: Option<PathBuf>,
    /// Data center in which the client is registered, such as EU [env: ZOHO_DATA_CENTER]
    #[arg(long, value_name = "NAME")]
    data_center: Option<String>,
    /// What the credentials may be used for
    #[arg(long, default_value = SCOPE)]
    scope: String,
    /// Print the JSON for AWS Secrets Manager instead of writing a file
    #[arg(long)]
    pub print_secret: bool,
}

const AFTER_HELP: &str = "\
Register a client of the type \"Non-browser Application\" at https://api-console.zoho.com (or .eu, .in, …). Then run `watch-job \
login`, open the address that it shows, and enter the code. With a \"Self Client\", generate a code there and use --code.
Where standard input is no terminal, the client ID and the client secret are read from it, a line each.";

/// A client that is registered at Zoho.
pub(crate) struct Client {
    id: SecretString,
    secret: SecretString,
    /// Of a self client.
    code: Option<SecretString>,
}

/// A response of the accounts server, as far as a login needs it; and `self_client.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    client_id: Option<String>,
    client_secret: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    user_location: Option<String>,
    refresh_token: Option<String>,
    api_domain: Option<String>,
    device_code: Option<String>,
    user_code: Option<String>,
    verification_url: Option<String>,
    verification_uri_complete: Option<String>,
    interval: Value,
    expires_in: Value,
}

const TIMEOUT: Duration = Duration::from_secs(20);

/// After `slow_down`: "only one request per 30 seconds" (docs/zoho-api.md, "OAuth").
const SLOW: Duration = Duration::from_secs(30);

fn invalid(message: impl AsRef<str>) -> WatchError {
    WatchError::new(ErrorType::InvalidConfiguration, message)
}

impl Login {
    /// The options in the place of variables: option, variable, value.
    pub(crate) fn options(&self) -> Vec<(&'static str, &'static str, String)> {
        self.data_center.clone().map(|name| ("--data-center", "ZOHO_DATA_CENTER", name)).into_iter().collect()
    }

    /// From the options, a file, the terminal, or standard input. Blocks.
    ///
    /// # Errors
    ///
    /// `InvalidConfiguration` for what is missing or stands in the wrong place.
    pub(crate) fn client(&self) -> Result<Client, WatchError> {
        let mut file = Fields::default();
        let code = match &self.code {
            Some(code) if code.to_str().is_some_and(|text| redact::contains_secret(text, &[])) => {
                code.to_str().map(str::to_owned)
            }
            Some(path) => {
                let problem = |what: &str| invalid(format!("--code {}: {what}", files::shown(path)));
                let content = files::read(path).map_err(|what| problem(&what))?;
                file = serde_json::from_str(content.text.trim_start_matches('\u{feff}'))
                    .map_err(|_| problem("it is neither a code nor a file with JSON"))?;
                Some(
                    file.code
                        .take()
                        .ok_or_else(|| problem("it has no `code`. Generate one in the API console"))?,
                )
            }
            None => None,
        };
        let id = self.client_id.clone().or(file.client_id).map_or_else(|| ask("Client ID", false), Ok)?;
        let secret = self.client_secret.clone().or(file.client_secret);
        let secret = secret.map_or_else(|| ask("Client secret (not shown)", true), Ok)?;
        for (name, value) in [("client ID", &id), ("client secret", &secret)] {
            if value.trim().is_empty() || Path::new(value.trim()).exists() {
                return Err(invalid(format!(
                    "the {name} is empty, or is a path. Copy it from Zoho's API console"
                )));
            }
        }
        Ok(Client { id: id.trim().into(), secret: secret.trim().into(), code: code.map(SecretString::from) })
    }

    /// Gets credentials and returns them as the JSON of a secret.
    ///
    /// # Errors
    ///
    /// What Zoho refused, or why it did not respond.
    pub(crate) async fn run(
        &self,
        client: &Client,
        settings: &Settings,
        view: &View,
    ) -> Result<String, WatchError> {
        let zoho = Accounts { client, settings };
        let named = settings.config.data_center;
        let (data_center, granted) = match &client.code {
            Some(code) => {
                let data_center = named.unwrap_or_default();
                let code = [("grant_type", "authorization_code"), ("code", code.expose_secret())];
                (data_center, zoho.post(data_center, "/oauth/v2/token", &code, true).await?)
            }
            None => self.device_flow(&zoho, named, view).await?,
        };
        let host = zoho.host(data_center);
        if let Some(word) = &granted.error {
            return Err(refusal(word, &granted, &host));
        }
        let token = granted.refresh_token.as_deref().filter(|token| !token.is_empty()).ok_or_else(|| {
            let message = format!(
                "{host} issued no refresh token. Remove this client from the connected apps of your Zoho \
                                   account, and run the command again"
            );
            WatchError::new(ErrorType::ZohoUnexpectedResponse, message)
        })?;
        let api_host = granted.api_domain.as_deref().and_then(|domain| Origin::parse(domain).ok());
        let data_center = api_host.as_ref().and_then(DataCenter::of_api_host).unwrap_or(data_center);
        Ok(json!({
            "client_id": client.id.expose_secret(),
            "client_secret": client.secret.expose_secret(),
            "refresh_token": token,
            "data_center": data_center.name,
        })
        .to_string())
    }

    /// Shows an address and a code, and polls until somebody has accepted or declined.
    async fn device_flow(
        &self,
        zoho: &Accounts<'_>,
        named: Option<DataCenter>,
        view: &View,
    ) -> Result<(DataCenter, Fields), WatchError> {
        let request = [
            ("grant_type", "device_request"),
            ("scope", self.scope.as_str()),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ];
        let (mut data_center, mut started) = (named.unwrap_or_default(), Fields::default());
        // The client ID alone is no secret: where it is registered, it is known.
        let is_fixed = named.is_some() || zoho.settings.config.accounts_domain.is_some();
        for candidate in
            DataCenter::ALL.into_iter().filter(|candidate| !is_fixed || *candidate == data_center)
        {
            started = zoho.post(candidate, "/oauth/v3/device/code", &request, false).await?;
            if started.error.as_deref() != Some("invalid_client") {
                data_center = candidate;
                break;
            }
        }
        let (Some(code), Some(user_code)) = (&started.device_code, &started.user_code) else {
            let word = started.error.as_deref().unwrap_or_default();
            return Err(refusal(word, &started, &zoho.host(data_center)));
        };
        let page = format!("{}/oauth/v3/device", zoho.host(data_center));
        let page = redact::quote(started.verification_url.as_deref().unwrap_or(&page));
        let life = span(&started.expires_in).unwrap_or(Duration::from_secs(300));
        view.err(&format!("Open {page} in a browser and enter the code {}", redact::quote(user_code)));
        if let Some(complete) = &started.verification_uri_complete {
            view.err(&format!("or open {}", redact::quote(complete)));
        }
        view.err(&format!(
            "Waiting until you have accepted there. The code is valid for {}.",
            duration(life.as_secs())
        ));
        let mut pause = span(&started.interval).unwrap_or(SLOW);
        let ends = Instant::now().checked_add(life);
        let poll = [("grant_type", "device_token"), ("code", code.as_str())];
        loop {
            sleep(pause).await;
            if ends.is_some_and(|ends| ends < Instant::now()) {
                return Err(refusal("expired", &Fields::default(), &zoho.host(data_center)));
            }
            let answer = match zoho.post(data_center, "/oauth/v3/device/token", &poll, true).await {
                // An outage does not end the wait.
                Err(error) if error.kind() == ErrorType::ZohoUnavailable => continue,
                answer => answer?,
            };
            match answer.error.as_deref() {
                Some("authorization_pending") => {}
                Some("slow_down") => pause = pause.max(SLOW),
                Some("other_dc") => {
                    let location = answer.user_location.as_deref().unwrap_or_default();
                    data_center = DataCenter::named(location)
                        .filter(|other| *other != data_center)
                        .ok_or_else(|| refusal("other_dc", &answer, &zoho.host(data_center)))?;
                    view.err(&format!("Your account is in the data center {}.", data_center.name));
                }
                _ => return Ok((data_center, answer)),
            }
        }
    }
}

/// Zoho's accounts servers.
struct Accounts<'a> {
    client: &'a Client,
    settings: &'a Settings,
}

impl Accounts<'_> {
    fn host(&self, data_center: DataCenter) -> Origin {
        self.settings.config.accounts_domain.clone().unwrap_or_else(|| data_center.accounts_origin())
    }

    /// One request, in a form body: a query would end up in logs.
    async fn post(
        &self,
        data_center: DataCenter,
        path: &str,
        fields: &[(&str, &str)],
        with_secret: bool,
    ) -> Result<Fields, WatchError> {
        let host = self.host(data_center);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", self.client.id.expose_secret()).extend_pairs(fields);
        if with_secret {
            form.append_pair("client_secret", self.client.secret.expose_secret());
        }
        let form_type = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        let sent = self.settings.connections.send(Request {
            method: http::Method::POST,
            origin: &host,
            path: path.to_owned(),
            headers: http::HeaderMap::from_iter([(http::header::CONTENT_TYPE, form_type)]),
            body: form.finish(),
            timeout: TIMEOUT,
            body_limit: 64 << 10,
        });
        let unavailable = |what: &str| {
            let message =
                format!("{host} {what}. Check this computer's network connection, or try again later");
            WatchError::new(ErrorType::ZohoUnavailable, message)
        };
        let response = sent.await.map_err(|error| unavailable(&format!("did not respond ({error})")))?;
        if response.status.is_server_error() || response.status == http::StatusCode::TOO_MANY_REQUESTS {
            return Err(unavailable(&format!("returned {}", summary(response.status, "", ""))));
        }
        // The body is not quoted: it may hold a token.
        serde_json::from_slice(&response.body).map_err(|_| {
            let returned = summary(response.status, "", "");
            let message = format!(
                "{host} returned {returned} without the documented JSON. Check --data-center, and what \
                                   responds in Zoho's place"
            );
            WatchError::new(ErrorType::ZohoUnexpectedResponse, message)
        })
    }
}

/// Zoho's own unit is the millisecond; the standard's, the second.
fn span(value: &Value) -> Option<Duration> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.parse().ok())
        .filter(|number| (1.0..1e9).contains(number))?;
    Some(Duration::from_secs_f64(if number >= 1_000.0 { number / 1_000.0 } else { number }))
}

/// What a word of the accounts server means, and what to do.
fn refusal(word: &str, answer: &Fields, host: &Origin) -> WatchError {
    let names = DataCenter::names();
    let (what, advice) = match word {
        "invalid_client" => (
            "does not know the client ID",
            format!(
                "Check it, and name the data center in which the client is registered with --data-center ({names})"
            ),
        ),
        "invalid_client_secret" => {
            ("rejects the client secret", "Copy it again from Zoho's API console".to_owned())
        }
        "invalid_code" => (
            "rejects the code",
            format!(
                "A code works once, for a few minutes, and in its own data center (--data-center {names}): generate another one"
            ),
        ),
        "access_denied" => (
            "says that the request was declined",
            "Run the command again and accept it in the browser".to_owned(),
        ),
        "expired" => (
            "says that nobody accepted in time",
            "Run the command again and accept it in the browser".to_owned(),
        ),
        "invalid_scope" => ("does not know the scope", "Check --scope".to_owned()),
        "other_dc" => (
            "names another data center",
            format!("Name the one of your account with --data-center ({names})"),
        ),
        // Not `access_denied`: this is how Zoho throttles.
        "Access Denied" => {
            ("refuses further requests", "Zoho counts over ten minutes: try again after them".to_owned())
        }
        _ => (
            "refuses the request",
            "The client must be of the type Non-browser Application; for a Self Client, use --code"
                .to_owned(),
        ),
    };
    let description = answer.error_description.as_deref().unwrap_or_default();
    let returned = [word, description].map(redact::quote).join(" ");
    WatchError::new(ErrorType::TokenRejected, format!("{host} {what} ({}). {advice}", returned.trim()))
}

/// A line from the terminal, or from standard input if that is none.
fn ask(what: &str, is_secret: bool) -> Result<String, WatchError> {
    let missing = |_| invalid(format!("the {} is missing", what.to_lowercase()));
    if is_secret && io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("{what}: ")).map_err(missing);
    }
    if io::stdin().is_terminal() {
        View::prompt(&format!("{what}: "));
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(missing)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_device_flow() {
        for (value, seconds) in [
            (json!(5_000), Some(5)),
            (json!(300_000), Some(300)),
            (json!(5), Some(5)),
            (json!("30"), Some(30)),
            (json!(0), None),
            (json!(-1), None),
            (json!("soon"), None),
            (Value::Null, None),
        ] {
            assert_eq!(span(&value).map(|span| span.as_secs()), seconds, "{value}");
        }
    }
}
