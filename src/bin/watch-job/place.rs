//! The words that fit this place. The library's messages are those of a function that reads a secret; here, every message
//! passes this table on its way out.

/// How a phrase of the library begins, how it ends (if that is not the same), and what is said here. The first ones apply
/// first. A test looks for each of them in the library.
const PHRASES: [(&str, &str, &str); 12] = [
    ("the secret that ZOHO_SECRET_ID names", "", "{source}"),
    ("in the secret", "", "in {source}"),
    (
        "Check the function's outbound network path",
        "allows HTTPS",
        "Check this computer's network connection, its firewall, and whether HTTPS_PROXY must name a proxy",
    ),
    (
        "give the function an execution role",
        "outside of Lambda",
        "log in with the AWS CLI, and set AWS_PROFILE if the profile is not the default one",
    ),
    ("check the function's execution role, and", "", "check your login and AWS_PROFILE, and"),
    ("Allow the function's role", "", "Allow your AWS user or role"),
    ("from the function's own variables: Lambda sets them", "", "from the environment, or correct them"),
    (". Give the function a longer timeout", "", ". Try again later"),
    ("before the end of the invocation", "", "in time"),
    ("in this invocation", "", "for this check"),
    ("another execution environment", "", "another start of this program"),
    ("the function", "", "this program"),
];

/// The source of the credentials, by its name, and the options that stand in the places of variables.
pub(crate) struct Place<'a>(pub String, pub &'a [(&'static str, &'static str, String)]);

impl Place<'_> {
    /// The message as it is shown here.
    pub(crate) fn fit(&self, message: &str) -> String {
        let text = PHRASES.iter().fold(message.to_owned(), |text, (start, end, here)| {
            replaced(&text, start, end, &here.replace("{source}", &self.0))
        });
        self.1.iter().fold(text, |text, (option, variable, _)| text.replace(variable, option))
    }
}

/// Every `start…end` replaced.
fn replaced(text: &str, start: &str, end: &str, here: &str) -> String {
    let (mut written, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(start)
        && let Some((_, after)) = after.split_once(end)
    {
        written.extend([before, here]);
        rest = after;
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// The text of the library, without the line breaks of long strings.
    fn library(folder: &Path) -> String {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let texts = entries.filter(|path| !path.ends_with("bin")).map(|path| match path.is_dir() {
            true => library(&path),
            false => fs::read_to_string(path).unwrap(),
        });
        let text = texts.collect::<String>();
        text.split("\\\n").map(str::trim_start).collect()
    }

    #[test]
    fn the_library_speaks_in_these_phrases() {
        let library = library(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        for (start, end, _) in PHRASES {
            assert!(library.contains(start) && library.contains(end), "{start} … {end}");
        }
    }

    #[test]
    fn messages_fit() {
        let place =
            Place("the file ~/zoho.json".into(), &[("--limit", "WATCH_LIMIT_SECONDS", String::new())]);
        for (message, expected) in [
            (
                "rejected the `client_id` in the secret. Correct",
                "rejected the `client_id` in the file ~/zoho.json. Correct",
            ),
            ("the secret that ZOHO_SECRET_ID names is empty", "the file ~/zoho.json is empty"),
            ("WATCH_LIMIT_SECONDS is not valid", "--limit is not valid"),
            ("no such secret", "no such secret"),
        ] {
            assert_eq!(place.fit(message), expected);
        }
    }
}
