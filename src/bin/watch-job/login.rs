//! `watch-job login`: credentials from Zoho, by its device flow or with the one-time code of a self client.
//! docs/terminal.md says what of it was never tried with a live Zoho.

use crate::arguments::Settings;
use crate::credentials::{invalid, read};
use crate::view::View;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use mass_change_owner_status::error::{ErrorType, WatchError};
use mass_change_owner_status::http::{HttpClient, HttpRequest as Request, Origin, summary};
use mass_change_owner_status::operation::OPERATION;
use mass_change_owner_status::redact::{self, quote};
use mass_change_owner_status::watch::format::duration;
use mass_change_owner_status::zoho::data_center::DataCenter;
use serde_json::{Value, json};
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The options of `watch-job login`.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct LoginOptions {
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
    pub data_center: Option<String>,
    /// What the credentials may be used for
    #[arg(long, default_value = OPERATION.scope)]
    scope: String,
    /// Print the JSON for AWS Secrets Manager instead of writing a file
    #[arg(long)]
    pub print_secret: bool,
}

const AFTER_HELP: &str = "\
Register a client of the type \"Non-browser Application\" at https://api-console.zoho.com (or .eu, .in, …). Then run `watch-job \
login`, open the address that it shows, and enter the code. With a \"Self Client\", generate a code there and use --code.
Where standard input is no terminal, the client ID and the client secret are read from it, a line each.";

/// A client that is registered at Zoho, and where to use it.
pub(crate) struct Login<'a> {
    /// `client_id`, `client_secret`, and the `code` of a self client.
    client: Value,
    scope: &'a str,
    settings: &'a Settings,
    view: &'a View,
}

/// Zoho asks for this much between two polls (docs/zoho-api.md, "OAuth"), whatever interval it names.
const SLOW: Duration = Duration::from_secs(30);

/// A field that is text; empty if there is none.
fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl<'a> Login<'a> {
    /// The client is that of the options, of a file, of the terminal, or of standard input. Blocks.
    pub(crate) fn new(options: &'a LoginOptions, settings: &'a Settings, view: &'a View) -> Result<Self, WatchError> {
        let code = options.code.as_deref();
        let mut client = match code.map(|code| (code, code.to_string_lossy())) {
            None => json!({}),
            Some((_, code)) if redact::contains_secret(&code, &[]) => json!({"code": code}),
            Some((path, _)) => serde_json::from_str(read(path)?.0.trim_start_matches('\u{feff}')).unwrap_or_default(),
        };
        if code.is_some() && text(&client, "code").is_empty() {
            return Err(invalid(
                "--code is neither a code nor a file with a `code`. Generate one in Zoho's API console",
            ));
        }
        for (name, given) in [("client_id", &options.client_id), ("client_secret", &options.client_secret)] {
            let given = given.clone().or_else(|| client.get(name)?.as_str().map(str::to_owned));
            let value = given.map_or_else(|| ask(name, view), Ok).unwrap_or_default().trim().to_owned();
            if value.is_empty() || Path::new(&value).exists() {
                return Err(invalid(format!("`{name}` is missing or a path. Copy it from Zoho's API console")));
            }
            client.as_object_mut().and_then(|client| client.insert(name.to_owned(), value.into()));
        }
        Ok(Self { client, scope: &options.scope, settings, view })
    }

    /// Gets credentials and returns them as the JSON of a secret.
    pub(crate) async fn run(&self) -> Result<String, WatchError> {
        let config = &self.settings.config.zoho;
        let named = config.data_center.or(config.accounts_domain.is_some().then(DataCenter::default));
        let (data_center, granted) = match text(&self.client, "code") {
            "" => self.device_flow(named).await?,
            code => {
                let form = [("grant_type", "authorization_code"), ("code", code)];
                let data_center = named.unwrap_or_default();
                (data_center, self.post(data_center, "/oauth/v2/token", &form).await?)
            }
        };
        let [id, secret] = ["client_id", "client_secret"].map(|name| text(&self.client, name));
        let token = text(&granted, "refresh_token");
        if token.is_empty() {
            return Err(self.refusal(&granted, data_center));
        }
        let api_host = Origin::parse(text(&granted, "api_domain")).ok();
        let data_center = api_host.as_ref().and_then(DataCenter::of_api_host).unwrap_or(data_center).name;
        let secret =
            json!({"client_id": id, "client_secret": secret, "refresh_token": token, "data_center": data_center});
        Ok(secret.to_string())
    }

    /// Shows an address and a code, and polls until somebody has accepted or declined.
    async fn device_flow(&self, named: Option<DataCenter>) -> Result<(DataCenter, Value), WatchError> {
        let (mut data_center, mut started) = (named.unwrap_or_default(), Value::Null);
        // Whichever data center knows the client is the one.
        for candidate in DataCenter::ALL.into_iter().filter(|one| named.is_none_or(|named| named == *one)) {
            let form = [("grant_type", "device_request"), ("scope", self.scope), ("access_type", "offline")];
            started =
                self.post(candidate, "/oauth/v3/device/code", &[&form[..], &[("prompt", "consent")]].concat()).await?;
            data_center = candidate;
            if text(&started, "error") != "invalid_client" {
                break;
            }
        }
        let [code, user_code, page] = ["device_code", "user_code", "verification_url"].map(|name| text(&started, name));
        if code.is_empty() {
            return Err(self.refusal(&started, data_center));
        }
        let life = span(started.get("expires_in")).unwrap_or(Duration::from_secs(300));
        let (page, user_code, minutes) = (quote(page), quote(user_code), duration(life.as_secs()));
        self.view.err(&format!("Open {page} and enter the code {user_code}, which is valid for {minutes}."));
        let mut pause = span(started.get("interval")).unwrap_or(SLOW);
        let poll = [("grant_type", "device_token"), ("code", code)];
        let began = Instant::now();
        while began.elapsed() < life {
            sleep(pause).await;
            let answer = match self.post(data_center, "/oauth/v3/device/token", &poll).await {
                // An outage does not end the wait.
                Err(error) if error.kind() == ErrorType::ZohoUnavailable => continue,
                answer => answer?,
            };
            match (text(&answer, "error"), DataCenter::named(text(&answer, "user_location"))) {
                ("authorization_pending", _) => {}
                ("slow_down", _) => pause = SLOW,
                ("other_dc", Some(other)) if other != data_center => data_center = other,
                _ => return Ok((data_center, answer)),
            }
        }
        Ok((data_center, json!({"error": "expired"})))
    }

    fn accounts(&self, data_center: DataCenter) -> Origin {
        self.settings.config.zoho.accounts_domain.clone().unwrap_or_else(|| data_center.accounts_origin())
    }

    /// One request, in a form body: a query would end up in logs. What is not JSON of Zoho's is an outage.
    async fn post(&self, at: DataCenter, path: &str, form: &[(&str, &str)]) -> Result<Value, WatchError> {
        let host = self.accounts(at);
        let mut body = form_urlencoded::Serializer::new(String::new());
        // The device flow begins without the secret, because it may begin in the wrong data center.
        let names = if path.ends_with("code") { &["client_id"][..] } else { &["client_id", "client_secret"] };
        body.extend_pairs(names.iter().map(|name| (name, text(&self.client, name))));
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let sent = self.settings.config.connections.send(Request {
            method: Method::POST,
            origin: &host,
            path: path.to_owned(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
            body: body.extend_pairs(form).finish(),
            timeout: self.settings.config.zoho.request_timeout,
        });
        let what = match sent.await {
            Err(error) => error.to_string(),
            Ok(response) => match serde_json::from_slice(&response.body) {
                Ok(answer) if !response.status.is_server_error() => return Ok(answer),
                // Not quoted: it may hold a token.
                _ => summary(response.status, "", ""),
            },
        };
        let message =
            format!("{host} did not answer as documented ({what}). Check the network connection, or try again later");
        Err(WatchError::new(ErrorType::ZohoUnavailable, message))
    }

    /// What to do about a response without a refresh token.
    fn refusal(&self, answer: &Value, data_center: DataCenter) -> WatchError {
        let advice = match text(answer, "error") {
            "invalid_client" => "Check the client ID and its data center: --data-center {names}",
            "invalid_client_secret" => "Copy the client secret again from Zoho's API console",
            "invalid_code" => {
                "A code works once, for minutes, in its data center (--data-center {names}). Generate another"
            }
            "access_denied" => "The request was declined. Run the command again, and accept it in the browser",
            "expired" => "Nobody accepted the request in time. Run the command again",
            "invalid_scope" => "Check --scope",
            // With a space: this is how Zoho throttles.
            "Access Denied" => "Zoho allows only so many requests in ten minutes. Try again after them",
            _ => "The client must be of the type Non-browser Application. For a Self Client, use --code",
        };
        let advice = advice.replace("{names}", &DataCenter::names());
        let returned = ["error", "error_description"].map(|name| quote(text(answer, name))).join(" ");
        let (host, returned) = (self.accounts(data_center), returned.trim());
        WatchError::new(ErrorType::TokenRejected, format!("{host} refused the login ({returned}). {advice}"))
    }
}

/// Zoho's own unit is the millisecond; the standard's, the second.
fn span(value: Option<&Value>) -> Option<Duration> {
    let number = value?.as_f64().filter(|number| (1.0..1e9).contains(number))?;
    Some(Duration::from_secs_f64(if number >= 1_000.0 { number / 1_000.0 } else { number }))
}

/// A line from the terminal, or from standard input if that is none. A secret is not shown.
fn ask(name: &str, view: &View) -> io::Result<String> {
    if io::stdin().is_terminal() {
        view.ask(&format!("{name}: "));
        if name == "client_secret" {
            return rpassword::read_password();
        }
    }
    io::stdin().lock().lines().next().unwrap_or_else(|| Ok(String::new()))
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
