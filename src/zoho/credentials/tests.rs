use super::*;

/// The values of the secret, for comparison.
fn values(text: &str) -> Vec<String> {
    let secret = Secret::parse(text, None).unwrap_or_else(|invalid| panic!("{text:?} {invalid}"));
    assert!(!format!("{secret:?}").contains("1000."), "{secret:?}");
    match &secret.grant {
        TokenGrant::Static(token) => vec![token.expose().to_owned()],
        TokenGrant::Credentials(credentials) => credentials.secrets().into_iter().map(str::to_owned).collect(),
    }
}

#[test]
fn the_three_forms() {
    const REFRESH: &str = r#"{"client_id": "1000.ID", "client_secret": "cs", "refresh_token": "1000.rt", "access_token": "old", "x": "\ud800"}"#;
    const CLIENT: &str = r#"{"client_id": "1000.ID", "client_secret": "cs", "soid": "ZohoCRM.1"}"#;
    // Fields that a template leaves empty.
    const TOKEN: &str = r#"{"access_token": " 1000.abc.def\n", "client_id": "", "client_secret": " ", "soid": null}"#;
    let json_string = |text: &str| serde_json::Value::from(text).to_string();
    for (text, expected) in [
        ("1000.abc.def", &["1000.abc.def"][..]),
        (TOKEN, &["1000.abc.def"]),
        (REFRESH, &["1000.ID", "cs", "1000.rt"]),
        (CLIENT, &["1000.ID", "cs", "ZohoCRM.1"]),
    ] {
        for text in [text, &format!("\u{feff} {text}\r\n"), &json_string(text), &json_string(&format!("{text}\n"))] {
            assert_eq!(values(text), expected, "{text:?}");
        }
    }
}

#[test]
fn the_data_center() {
    let india = DataCenter::named("IN");
    for (fields, default, expected) in [
        ("", None, ("US", "the default of `data_center` in the secret")),
        ("", india, ("IN", "ZOHO_DATA_CENTER")),
        (r#","data_center":"eu""#, india, ("EU", "`data_center` in the secret")),
        (r#","data_center":"""#, india, ("IN", "ZOHO_DATA_CENTER")),
    ] {
        let secret = Secret::parse(&format!(r#"{{"access_token":"t"{fields}}}"#), default).unwrap();
        assert_eq!((secret.data_center.name, secret.data_center_setting), expected, "{fields}");
    }
}

#[test]
fn scopes() {
    for (text, expected) in [
        (None, Some("ZohoCRM.change_owner.READ")),
        (Some("ZohoCRM.a.ALL, ZohoCRM.org.READ"), Some("ZohoCRM.a.ALL,ZohoCRM.org.READ")),
        (Some("READ"), None),
        (Some("1000.abc"), None),
        (Some(","), None),
        (Some("ZohoCRM.org.READ,hunter2"), None),
    ] {
        assert_eq!(scope(text.map(str::to_owned)).ok().as_deref(), expected, "{text:?}");
    }
}

/// What is missing or malformed is named; what is there is never shown.
#[test]
fn invalid_secrets() {
    // `…` stands for a client.
    for (text, part) in [
        ("", "is empty"),
        ("\u{feff}\n", "is empty"),
        ("\"\"", "is empty"),
        // Not sent to Zoho: not the form of a token.
        ("hunter2", "neither"),
        ("1000.hunter2", "neither"),
        ("1000.hunter2.hunter3.hunter4", "neither"),
        ("1000.hunter2.h\u{fc}nter3", "neither"),
        ("5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c", "neither"),
        ("Bearer 1000.hunter2.hunter3", "neither"),
        (r#"[{"access_token": "hunter2"}]"#, "neither"),
        // Where the JSON ends to be JSON.
        (r#"{"hunter2""#, "is not JSON from line 1, column 10 on"),
        ("{\n\"access_token\": 'hunter2'}", "is not JSON from line 2, column 17 on"),
        (r#"{"access_token": "hunter2"}{"access_token": "hunter3"}"#, "column 28"),
        // Which field.
        (r#"{"accessToken": "hunter2"}"#, "none of the fields"),
        (r#"{"access_token": "hunter2 3"}"#, "`access_token` with white space"),
        (r#"{"access_token": "h\u00fcnter2"}"#, "`access_token` with white space or characters other"),
        (r#"{"access_token": ["hunter2"]}"#, "`access_token` that is not a string"),
        (r#"{"client_id": "hunter2", "refresh_token": "hunter3"}"#, "no `client_secret`"),
        (r#"{"client_id": "", "client_secret": "hunter2", "refresh_token": "h"}"#, "no `client_id`"),
        (r#"{"access_token": "hunter2", "refresh_token": "hunter3"}"#, "no `client_id`"),
        (r#"{… "x": 1}"#, "no `refresh_token` (or `soid`)"),
        (r#"{… "code": "1000.hunter4", "scope": ["hunter5"]}"#, "self_client.json"),
        (r#"{… "soid": "hunter4"}"#, "`soid` of another form"),
        (r#"{… "soid": "ZohoCRM.1", "scope": "hunter4"}"#, "`scope` of another form"),
        (r#"{… "refresh_token": "hunter4", "data_center": "hunter5"}"#, "`data_center` that does not exist"),
        (r#"{… "refresh_token": "hunter4", "api_domain": "hunter5"}"#, "`api_domain` that is not a host"),
        (r#"{… "refresh_token": "h", "accounts_domain": "1000.abc.def"}"#, "`accounts_domain` that is not"),
    ] {
        let text = text.replace('…', r#""client_id": "hunter2", "client_secret": "hunter3","#);
        let message = Secret::parse(&text, None).expect_err(&text).to_string();
        assert!(message.contains(part), "{text}: {message}");
        assert!(!message.contains("hunter") && !message.contains("1000."), "{message}");
    }
}

#[test]
fn tokens_are_masked_in_debug_output() {
    let token = AccessToken::parse("hunter4").unwrap();
    assert!(!format!("{token:?} {:?}", token.authorization()).contains("hunter"));
}
