use super::*;

#[test]
fn the_three_forms() {
    const REFRESH: &str = r#"{"client_id": "1000.ID", "client_secret": "a&b", "refresh_token": "1000.rt", "access_token": "old", "x": "\ud800"}"#;
    const CLIENT: &str = r#"{"client_id": "1000.ID", "client_secret": "cs", "soid": "ZohoCRM.1", "scope": "A.b, C.d"}"#;
    // Fields that a template leaves empty.
    const TOKEN: &str = r#"{"access_token": " 1000.abc.def\n", "client_id": "", "client_secret": " ", "soid": null}"#;
    let json_string = |text: &str| serde_json::Value::from(text).to_string();
    let form = |id_and_secret: &str, grant: &str| format!("client_id={id_and_secret}&grant_type={grant}");
    for (text, expected) in [
        ("1000.abc.def", "1000.abc.def".to_owned()),
        (TOKEN, "1000.abc.def".to_owned()),
        (REFRESH, form("1000.ID&client_secret=a%26b", "refresh_token&refresh_token=1000.rt")),
        (CLIENT, form("1000.ID&client_secret=cs", "client_credentials&scope=A.b%2CC.d&soid=ZohoCRM.1")),
    ] {
        for text in [text, &format!("\u{feff} {text}\r\n"), &json_string(text), &json_string(&format!("{text}\n"))] {
            let secret = Secret::parse(text, None).unwrap_or_else(|invalid| panic!("{text:?} {invalid:?}"));
            assert!(!format!("{secret:?}").contains("1000."), "{secret:?}");
            let sent = match &secret.grant {
                TokenGrant::Static(token) => {
                    assert!(token.authorization().unwrap().is_sensitive());
                    token.expose().to_owned()
                }
                TokenGrant::Credentials(credentials) => credentials.form(),
            };
            assert_eq!(sent, expected, "{text:?}");
        }
    }
}

/// What is missing or malformed is named; what is there is never shown.
#[test]
fn invalid_secrets() {
    // `…` stands for a client.
    for (text, part) in [
        ("\u{feff}\n", "is empty"),
        // Not sent to Zoho: not the form of a token.
        ("1000.hunter2", "neither"),
        ("1000.hunter2.h\u{fc}nter3", "neither"),
        ("Bearer 1000.hunter2.hunter3", "neither"),
        ("{\n\"access_token\": 'hunter2'}", "is not JSON from line 2, column 17 on"),
        (r#"{"accessToken": "hunter2"}"#, "none of the fields"),
        (r#"{"access_token": "hunter2 3"}"#, "`access_token` with white space"),
        (r#"{"access_token": ["hunter2"]}"#, "`access_token` that is not a string"),
        (r#"{"client_id": "hunter2", "refresh_token": "hunter3"}"#, "no `client_secret`"),
        (r#"{"access_token": "hunter2", "refresh_token": "hunter3"}"#, "no `client_id`"),
        (r#"{… "x": 1}"#, "no `refresh_token` (or `soid`)"),
        (r#"{… "soid": "hunter4"}"#, "`soid` of another form"),
        (r#"{… "soid": "ZohoCRM.1", "scope": "ZohoCRM.org.READ,hunter4"}"#, "`scope` of another form"),
        (r#"{… "refresh_token": "hunter4", "data_center": "hunter5"}"#, "`data_center` that does not exist"),
        (r#"{… "refresh_token": "hunter4", "api_domain": "hunter5"}"#, "`api_domain` that is not a host"),
        (r#"{… "refresh_token": "h", "accounts_domain": "1000.abc.def"}"#, "`accounts_domain` that is not"),
    ] {
        let text = text.replace('…', r#""client_id": "hunter2", "client_secret": "hunter3","#);
        let message = Secret::parse(&text, None).expect_err(&text).of("it");
        assert!(message.contains(part), "{text}: {message}");
        assert!(!message.contains("hunter") && !message.contains("1000."), "{message}");
    }
}
