use super::*;
use secrecy::ExposeSecret;

fn parse(text: &str) -> Result<Secret, Invalid> {
    Secret::parse(text, None)
}

/// The values of the secret, for comparison.
fn values(text: &str) -> Vec<String> {
    let secret = parse(text).unwrap_or_else(|invalid| panic!("{text:?} {invalid}"));
    match &secret.grant {
        TokenGrant::Static(token) => vec![token.expose().to_owned()],
        TokenGrant::Credentials(credentials) => {
            credentials.secrets().into_iter().map(str::to_owned).collect()
        }
    }
}

#[test]
fn the_three_forms() {
    const REFRESH: &str = r#"{"client_id": "1000.ID", "client_secret": "cs", "refresh_token": "1000.rt", "data_center": "eu", "access_token": "old"}"#;
    assert_eq!(values("1000.abc.def"), ["1000.abc.def"]);
    assert_eq!(values(r#"{"access_token": "1000.abc.def"}"#), ["1000.abc.def"]);
    assert_eq!(values(REFRESH), ["1000.ID", "cs", "1000.rt"]);
    // Fields that a template leaves empty.
    assert_eq!(
        values(r#"{"access_token": "t", "client_id": "", "client_secret": " ", "soid": null}"#),
        ["t"]
    );

    let secret = parse(
        r#"{"client_id": "i", "client_secret": "cs", "soid": "ZohoCRM.1", "api_domain": "sandbox.zohoapis.com"}"#,
    )
    .unwrap();
    assert_eq!(secret.api_domain.unwrap().as_str(), "https://sandbox.zohoapis.com");
    let TokenGrant::Credentials(Credentials { grant: Grant::ClientCredentials { soid, scope }, .. }) =
        secret.grant
    else {
        panic!("{:?}", secret.grant)
    };
    assert_eq!((soid.expose_secret(), scope.as_str()), ("ZohoCRM.1", SCOPE));
}

#[test]
fn the_data_center() {
    for (fields, default, expected) in [
        ("", None, ("US", DataCenterSource::Default)),
        ("", DataCenter::named("IN"), ("IN", DataCenterSource::Variable)),
        (r#","data_center":"eu""#, DataCenter::named("IN"), ("EU", DataCenterSource::SecretField)),
        (r#","data_center":"""#, DataCenter::named("IN"), ("IN", DataCenterSource::Variable)),
    ] {
        let secret = Secret::parse(&format!(r#"{{"access_token":"t"{fields}}}"#), default).unwrap();
        assert_eq!((secret.data_center.name, secret.data_center_source), expected, "{fields}");
    }
}

/// What consoles, shells, and templates do to a token.
#[test]
fn wrapped_tokens() {
    for text in [
        " 1000.abc.def\r\n",
        "\u{feff}1000.abc.def",
        "\u{ef}\u{bb}\u{bf}1000.abc.def",
        "1000.abc.def\0",
        "1\u{0}0\u{0}00.abc.def",
        "\u{200b}1000.abc.def\u{a0}",
        "\"1000.abc.def\"",
        "'1000.abc.def'",
        "$'1000.abc.def'",
        "`1000.abc.def`",
        "\u{201c}1000.abc.def\u{201d}",
        "'1000.abc.def",
        "\"'1000.abc.def'\"",
        "1000.abc.def,",
        "\"1000.abc.def\",",
        "1000.abc.def;",
        "Bearer 1000.abc.def",
        "Zoho-oauthtoken 1000.abc.def",
        "ZOHO-OAUTHTOKEN  1000.abc.def",
        "Authorization: Zoho-oauthtoken 1000.abc.def",
        "\"Authorization: Zoho-oauthtoken 1000.abc.def\"",
        "access_token=1000.abc.def",
        "export ACCESS_TOKEN='1000.abc.def'",
        "access_token: 1000.abc.def\n",
        r#""access_token": "1000.abc.def""#,
        r#"{"access_token": "Bearer 1000.abc.def"}"#,
        r#"{"access_token": "'1000.abc.def'"}"#,
        r#"{"access_token": "\ufeff1000.abc.def\r\n"}"#,
        r#"{"access_token": "\"1000.abc.def\""}"#,
        r#"{"accessToken": "1000.abc.def"}"#,
        r#"{"Access-Token": "1000.abc.def", "x": "\ud800", "y": 1e400}"#,
        "{\"access_token\": \"1000.abc\n.def\"}",
    ] {
        assert_eq!(values(text), ["1000.abc.def"], "{text:?}");
    }
}

/// The same for an object, alone and combined.
#[test]
fn wrapped_objects() {
    const OBJECT: &str = r#"{"client_id": "1000.ID", "client_secret": "cs", "refresh_token": "1000.rt"}"#;
    let json_string = |text: &str| serde_json::Value::from(text).to_string();
    let base64 = aws_smithy_types::base64::encode(OBJECT);
    let percent: String = form_urlencoded::byte_serialize(OBJECT.as_bytes()).collect();
    let wrapped = [
        OBJECT.to_owned(),
        format!("\u{feff}{OBJECT}\r\n"),
        format!("\u{ef}\u{bb}\u{bf}{OBJECT}"),
        format!("\u{ff}\u{fe}{}", OBJECT.chars().flat_map(|c| [c, '\0']).collect::<String>()),
        OBJECT.replace(' ', "\u{a0}"),
        OBJECT.replace('"', ""),
        OBJECT.replace(['"', ' '], ""),
        OBJECT.replace("_id\"", "_id").replace("{\"", "{"),
        format!("{OBJECT}\0"),
        OBJECT.chars().flat_map(|c| [c, '\0']).collect(),
        format!("'{OBJECT}'"),
        format!("'{OBJECT}"),
        format!("{OBJECT}'"),
        format!("$'{OBJECT}'"),
        format!("\u{201c}{OBJECT}\u{201d}"),
        format!("{OBJECT},"),
        format!("{OBJECT};\n"),
        json_string(OBJECT),
        json_string(&json_string(OBJECT)),
        format!("'{}'", json_string(OBJECT)),
        OBJECT.replace('"', "\\\""),
        format!("\"{OBJECT}\""),
        OBJECT.replace('"', "'"),
        OBJECT.replace('"', "\u{201d}"),
        OBJECT.replace('{', "{\u{201c}x\u{201d}: 1, "),
        OBJECT.replace('}', ",}"),
        OBJECT.replace('}', " ,\n}"),
        OBJECT.replace(", ", ",\r\n\t"),
        OBJECT.replace(['{', '}'], ""),
        base64.clone(),
        base64.trim_end_matches('=').to_owned(),
        format!("{}\n{}\n", &base64[..40], &base64[40..]),
        json_string(&base64),
        percent.clone(),
        percent.replace('+', "%20"),
        percent.to_ascii_lowercase().replace("1000.id", "1000.ID"),
        format!(r#"{{"zoho-crm":{}}}"#, json_string(OBJECT)),
        format!(r#"{{"zoho-crm":{OBJECT}}}"#),
        format!(r#"{{"SecretString":{}}}"#, json_string(&format!(r#"{{"zoho":{OBJECT}}}"#))),
        "client_id=1000.ID\nclient_secret=cs\nrefresh_token=1000.rt\n".to_owned(),
        "export CLIENT_ID=\"1000.ID\"\r\nexport CLIENT_SECRET=\"cs\"\r\nexport REFRESH_TOKEN='1000.rt'"
            .to_owned(),
        "client_id=1000.ID&client_secret=cs&refresh_token=1000.rt".to_owned(),
        "refresh_token=1000.rt&client_id=1000.ID&client_secret=cs&grant_type=refresh_token".to_owned(),
        "# Zoho\nclient_id=1000.ID\nclient_secret=cs\nrefresh_token=1000.rt".to_owned(),
        "---\nzoho:\n  client_id: 1000.ID\n  client_secret: cs\n  refresh_token: 1000.rt\n".to_owned(),
        r#"{"clientId": "1000.ID", "client-secret": "cs", "REFRESH_TOKEN": "1000.rt"}"#.to_owned(),
        r#"{" client_id": " 1000.ID ", "client_secret": "'cs'", "refresh_token": "1000.rt\n"}"#.to_owned(),
    ];
    for text in wrapped {
        assert_eq!(values(&text), ["1000.ID", "cs", "1000.rt"], "{text:?}");
    }
}

/// What is missing or malformed is named; what is there is never shown.
#[test]
fn invalid_secrets() {
    for (text, part) in [
        ("", "neither"),
        ("\u{feff}", "neither"),
        ("hunter2 hunter3", "neither"),
        ("[\"hunter2\"]", "neither"),
        ("https://hunter2.example/", "neither"),
        ("<hunter2>", "neither"),
        ("h\u{fc}nter2", "neither"),
        ("{\"hunter2\"", "not a JSON object (line 1"),
        ("{{resolve:secretsmanager:hunter2}}", "template reference"),
        ("${hunter2}", "neither"),
        (r#"[{"access_token": "hunter2"}]"#, "neither"),
        ("{hunter2:3}", "not a JSON object"),
        (r#"{"access_token": "hunter2"}{"access_token": "hunter3"}"#, "not a JSON object"),
        ("{access_token:hunter2}{access_token:hunter3}", "not a JSON object"),
        ("{}", "none of the fields"),
        (r#"{"placeholder": "hunter2"}"#, "none of the fields"),
        (r#"{"hunter2": ""}"#, "none of the fields"),
        (r#"{"access_token": ""}"#, "none of the fields"),
        (r#"{"access_token": "hunter2 3"}"#, "`access_token` with white space"),
        (
            r#"{"access_token": "h\u00fcnter2"}"#,
            "`access_token` with white space or characters other than ASCII",
        ),
        (r#"{"access_token": "{hunter2}"}"#, "`access_token` that is not a token"),
        (r#"{"access_token": "https://hunter2"}"#, "`access_token` that is not a token"),
        (r#"{"access_token": "${hunter2}"}"#, "`access_token` that is a placeholder"),
        (r#"{"access_token": 7}"#, "`access_token` that is not a string"),
        (r#"{"access_token": ["hunter2"]}"#, "`access_token` that is not a string"),
        (r#"{"client_id": "hunter2"}"#, "no `client_secret`"),
        (r#"{"client_id": "hunter2", "client_secret": "hunter2"}"#, "no `refresh_token`"),
        (r#"{"client_id": "", "client_secret": "hunter2", "refresh_token": "hunter2"}"#, "no `client_id`"),
        (r#"{"client_id": "<hunter2>", "client_secret": "hunter2"}"#, "`client_id` that is a placeholder"),
        // The response to a one-time code, as a whole.
        (r#"{"access_token": "hunter2", "refresh_token": "hunter2", "expires_in": 3600}"#, "no `client_id`"),
    ] {
        let message = parse(text).expect_err(text).to_string();
        assert!(message.contains(part), "{text}: {message}");
        assert!(!message.contains("hunter"), "{message}");
    }
}

/// A value in the field of another one is rejected without being shown, or masked wherever it could appear.
#[test]
fn misplaced_secrets() {
    const CLIENT_SECRET: &str = "5f3a9c0d1e2b4a6f8c7d9e0f1a2b3c4d5e6f7a8b9c";
    const REFRESH_TOKEN: &str = "1000.0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef";
    for misplaced in [CLIENT_SECRET, REFRESH_TOKEN, "hunter2", "5F3A 9C0D"] {
        for (field, is_rejected) in [
            ("api_domain", true),
            ("accounts_domain", true),
            ("data_center", true),
            ("scope", true),
            ("soid", true),
            ("client_id", misplaced.contains(' ')),
            ("client_secret", misplaced.contains(' ')),
        ] {
            let mut fields = serde_json::Map::from_iter([
                ("client_id".to_owned(), "1000.ID".into()),
                ("client_secret".to_owned(), "cs".into()),
                ("soid".to_owned(), "ZohoCRM.1".into()),
            ]);
            fields.insert(field.to_owned(), misplaced.into());
            match parse(&serde_json::Value::Object(fields).to_string()) {
                Ok(secret) => {
                    assert!(!is_rejected, "{field} {misplaced}");
                    let TokenGrant::Credentials(credentials) = &secret.grant else { panic!("{secret:?}") };
                    assert!(credentials.secrets().contains(&misplaced), "{field}");
                    assert!(!format!("{secret:?}").contains(misplaced), "{secret:?}");
                }
                Err(invalid) => {
                    assert!(is_rejected, "{field} {misplaced}: {invalid}");
                    assert!(invalid.what.contains(field), "{invalid}");
                    assert!(!invalid.to_string().contains(misplaced), "{invalid}");
                }
            }
        }
    }
}

#[test]
fn scopes() {
    for (scope, expected) in [
        ("", Some(SCOPE)),
        ("ZohoCRM.change_owner.ALL", Some("ZohoCRM.change_owner.ALL")),
        (
            "ZohoCRM.change_owner.READ, ZohoCRM.change_owner.CREATE",
            Some("ZohoCRM.change_owner.READ,ZohoCRM.change_owner.CREATE"),
        ),
        ("AaaServer.profile.READ ZohoCRM.org.READ", Some("AaaServer.profile.READ,ZohoCRM.org.READ")),
        ("READ", None),
        ("1000.abc", None),
        ("ZohoCRM.org.READ,hunter2", None),
    ] {
        let parsed = parse_scope(Some(scope.to_owned()).filter(|scope| !scope.is_empty()));
        assert_eq!(parsed.ok().as_deref(), expected, "{scope}");
    }
}

#[test]
fn debug_output_is_masked() {
    let secret =
        parse(r#"{"client_id": "hunter1", "client_secret": "hunter2", "refresh_token": "hunter3"}"#).unwrap();
    assert!(!format!("{secret:?}").contains("hunter"));
    let token = AccessToken::parse("hunter4").unwrap();
    assert!(!format!("{token:?} {:?}", token.authorization()).contains("hunter"));
}
