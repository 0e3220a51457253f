//! `watch-job login`: credentials from Zoho, by its device flow or with the one-time code of a self client.
//! docs/terminal.md says what of it was never tried with a live Zoho.

use crate::arguments::{SetOption, Settings};
use crate::files;
use crate::source::invalid;
use crate::view::View;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::{HttpClient, Origin, Request, summary};
use mass_change_owner_status::redact;
use mass_change_owner_status::watch::format::duration;
use mass_change_owner_status::zoho::credentials::SCOPE;
use mass_change_owner_status::zoho::data_center::DataCenter;
use serde_json::{Value, json};
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::time::sleep;

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

/// A client that is registered at Zoho: its ID, its secret, and the code of a self client.
pub(crate) struct Client([String; 2], Option<String>);

const TIMEOUT: Duration = Duration::from_secs(20);

/// After `slow_down`: "only one request per 30 seconds" (docs/zoho-api.md, "OAuth").
const SLOW: Duration = Duration::from_secs(30);

/// A field of a response; empty if it is missing.
fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Login {
    /// The options that were given in the places of variables.
    pub(crate) fn options(&self) -> Vec<SetOption> {
        self.data_center.iter().map(|name| ("--data-center", "ZOHO_DATA_CENTER", name.clone())).collect()
    }

    /// From the options, a file, the terminal, or standard input. Blocks.
    pub(crate) fn client(&self) -> Result<Client, WatchError> {
        let file = match &self.code {
            None => Value::Null,
            Some(code) if redact::contains_secret(&code.to_string_lossy(), &[]) => {
                json!({"code": code.to_string_lossy()})
            }
            Some(path) => {
                let problem = |what: &str| invalid(format!("--code {}: {what}", files::shown(path)));
                let (text, _) = files::read(path).map_err(|what| problem(&what))?;
                let file: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
                    .map_err(|_| problem("it is neither a code nor JSON"))?;
                file.get("code")
                    .ok_or_else(|| problem("it has no `code`. Generate one in Zoho's API console"))?;
                file
            }
        };
        let value = |option: &Option<String>, field: &str, name: &str| {
            let given = option.clone().or_else(|| file.get(field)?.as_str().map(str::to_owned));
            let value = given.map_or_else(|| ask(name), Ok)?.trim().to_owned();
            let is_path = Path::new(&value).exists();
            let problem =
                || invalid(format!("the {name} is empty or a path. Copy it from Zoho's API console"));
            Some(value).filter(|value| !value.is_empty() && !is_path).ok_or_else(problem)
        };
        let id = value(&self.client_id, "client_id", "client ID")?;
        let secret = value(&self.client_secret, "client_secret", SECRET)?;
        Ok(Client([id, secret], file.get("code").and_then(Value::as_str).map(str::to_owned)))
    }

    /// Gets credentials and returns them as the JSON of a secret.
    pub(crate) async fn run(
        &self,
        client: &Client,
        settings: &Settings,
        view: &View<'_>,
    ) -> Result<String, WatchError> {
        let zoho = Accounts { client, settings };
        let (data_center, granted) = match &client.1 {
            Some(code) => {
                let data_center = settings.config.data_center.unwrap_or_default();
                let form = [("grant_type", "authorization_code"), ("code", code), zoho.secret()];
                (data_center, zoho.post(data_center, "/oauth/v2/token", &form).await?)
            }
            None => self.device_flow(&zoho, view).await?,
        };
        let token = text(&granted, "refresh_token");
        if token.is_empty() {
            return Err(refusal(&granted, &zoho.host(data_center)));
        }
        let api_host = Origin::parse(text(&granted, "api_domain")).ok();
        let data_center = api_host.as_ref().and_then(DataCenter::of_api_host).unwrap_or(data_center).name;
        let Client([id, secret], _) = client;
        let secret = json!({"client_id": id, "client_secret": secret, "refresh_token": token, "data_center": data_center});
        Ok(secret.to_string())
    }

    /// Shows an address and a code, and polls until somebody has accepted or declined.
    async fn device_flow(
        &self,
        zoho: &Accounts<'_>,
        view: &View<'_>,
    ) -> Result<(DataCenter, Value), WatchError> {
        let form = [
            ("grant_type", "device_request"),
            ("scope", self.scope.as_str()),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ];
        // A client ID is no secret: whichever data center knows it is the one. All of them have one host if it is set.
        let named = zoho.settings.config.data_center;
        let (mut data_center, mut started) = (named.unwrap_or_default(), Value::Null);
        for candidate in
            DataCenter::ALL.into_iter().filter(|candidate| named.is_none_or(|name| name == *candidate))
        {
            started = zoho.post(candidate, "/oauth/v3/device/code", &form).await?;
            data_center = candidate;
            if text(&started, "error") != "invalid_client" {
                break;
            }
        }
        let [code, user_code, page] =
            ["device_code", "user_code", "verification_url"].map(|name| text(&started, name));
        if [code, user_code, page].contains(&"") {
            return Err(refusal(&started, &zoho.host(data_center)));
        }
        let life = span(started.get("expires_in")).unwrap_or(Duration::from_secs(300));
        view.err(&format!(
            "Open {} and enter the code {}\nWaiting for you to accept there. The code is valid for {}.",
            redact::quote(page),
            redact::quote(user_code),
            duration(life.as_secs())
        ));
        let mut pause = span(started.get("interval")).unwrap_or(SLOW);
        let poll = [("grant_type", "device_token"), ("code", code), zoho.secret()];
        let began = Instant::now();
        while began.elapsed() < life {
            sleep(pause).await;
            let answer = match zoho.post(data_center, "/oauth/v3/device/token", &poll).await {
                // An outage does not end the wait.
                Err(error) if error.kind() == ErrorType::ZohoUnavailable => continue,
                answer => answer?,
            };
            match (text(&answer, "error"), DataCenter::named(text(&answer, "user_location"))) {
                ("authorization_pending", _) => {}
                ("slow_down", _) => pause = pause.max(SLOW),
                ("other_dc", Some(other)) if other != data_center => {
                    view.err(&format!("Your account is in the data center {}.", other.name));
                    data_center = other;
                }
                _ => return Ok((data_center, answer)),
            }
        }
        Ok((data_center, json!({"error": "expired"})))
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

    fn secret(&self) -> (&'static str, &str) {
        ("client_secret", &self.client.0[1])
    }

    /// One request with the client ID, in a form body: a query would end up in logs.
    async fn post(&self, at: DataCenter, path: &str, form: &[(&str, &str)]) -> Result<Value, WatchError> {
        let host = self.host(at);
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("client_id", &self.client.0[0]).extend_pairs(form);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let sent = self.settings.connections.send(Request {
            method: Method::POST,
            origin: &host,
            path: path.to_owned(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]),
            body: body.finish(),
            timeout: TIMEOUT,
            body_limit: 64 << 10,
        });
        let unavailable = |what: String| {
            let advice = "Check this computer's network connection, or try again later";
            WatchError::new(ErrorType::ZohoUnavailable, format!("{host} {what}. {advice}"))
        };
        let response = sent.await.map_err(|error| unavailable(format!("did not respond ({error})")))?;
        // The body is not quoted: it may hold a token.
        let returned = format!("returned {}", summary(response.status, "", ""));
        if response.status.is_server_error() || response.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(unavailable(returned));
        }
        serde_json::from_slice(&response.body).map_err(|_| {
            let message =
                format!("{host} {returned} without the documented JSON. Check what responds in its place");
            WatchError::new(ErrorType::ZohoUnexpectedResponse, message)
        })
    }
}

/// Zoho's own unit is the millisecond; the standard's, the second.
fn span(value: Option<&Value>) -> Option<Duration> {
    let number = value?.as_f64().filter(|number| (1.0..1e9).contains(number))?;
    Some(Duration::from_secs_f64(if number >= 1_000.0 { number / 1_000.0 } else { number }))
}

/// What to do about a response without a refresh token.
fn refusal(answer: &Value, host: &Origin) -> WatchError {
    let names = DataCenter::names();
    let advice = match text(answer, "error") {
        "invalid_client" => {
            &format!("Check the client ID, and name the data center of the client: --data-center {names}")
        }
        "invalid_client_secret" => "Copy the client secret again from Zoho's API console",
        "invalid_code" => &format!(
            "A code works once, for a few minutes, in its own data center (--data-center {names}). Generate another one"
        ),
        "access_denied" => "The request was declined. Run the command again, and accept it in the browser",
        "expired" => "Nobody accepted the request in time. Run the command again",
        "invalid_scope" => "Check --scope",
        "other_dc" => &format!("Name the data center of your account: --data-center {names}"),
        // With a space: this is how Zoho throttles.
        "Access Denied" => "Zoho allows only so many requests in ten minutes. Try again after them",
        "" => {
            "It issued no refresh token. Remove the client from your account's connected apps, and try again"
        }
        _ => "The client must be of the type Non-browser Application. For a Self Client, use --code",
    };
    let returned = ["error", "error_description"].map(|name| redact::quote(text(answer, name))).join(" ");
    WatchError::new(
        ErrorType::TokenRejected,
        format!("{host} refused the login ({}). {advice}", returned.trim()),
    )
}

const SECRET: &str = "client secret";

/// A line from the terminal, or from standard input if that is none. A secret is not shown.
fn ask(name: &str) -> Result<String, WatchError> {
    let missing = |_| invalid(format!("the {name} is missing"));
    let is_terminal = io::stdin().is_terminal();
    if is_terminal && name == SECRET {
        return rpassword::prompt_password("Client secret (not shown): ").map_err(missing);
    }
    if is_terminal {
        View::prompt("Client ID: ");
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
            (json!(0), None),
            (json!(-1), None),
            (json!("soon"), None),
            (Value::Null, None),
        ] {
            assert_eq!(span(Some(&value)).map(|span| span.as_secs()), seconds, "{value}");
        }
    }
}
