//! The message as a chat channel shows it: a custom notification of Amazon Q Developer in chat applications, which posts to
//! Slack and Microsoft Teams.
//!
//! Amazon Q subscribes to a topic by HTTPS. SNS gives HTTPS subscribers the text under `https`, so that one publication
//! reaches everybody: the chat can neither miss an announcement nor get one that others do not.

use serde::Serialize;

/// A custom notification, as its documentation defines it ("Custom notifications using Amazon Q Developer in chat
/// applications").
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CustomNotification {
    /// Of the format: `1.0`.
    pub version: &'static str,
    /// `custom`.
    pub source: &'static str,
    /// The `event_id` of the message.
    pub id: String,
    /// What people read.
    pub content: Content,
    /// What groups and describes the message.
    pub metadata: Metadata,
}

/// What people read, in Markdown.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// `client-markdown`.
    pub text_type: &'static str,
    /// The subject of the email.
    pub title: String,
    /// The lines of the email.
    pub description: String,
    /// What to do, if anything.
    pub next_steps: Vec<String>,
    /// The module, and the outcome or the notice.
    pub keywords: Vec<String>,
}

/// What groups and describes a message.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Messages with the same ID are shown as one thread: module and job ID.
    pub thread_id: String,
    /// The first line of the thread.
    pub summary: String,
    /// The outcome or the notice.
    pub event_type: String,
    /// The ID of the job.
    pub related_resources: Vec<String>,
}

/// What a notification consists of.
pub(super) struct Text<'a> {
    pub(super) title: &'a str,
    pub(super) lines: &'a [String],
    pub(super) advice: Option<&'a str>,
    pub(super) module: &'a str,
    pub(super) job_id: &'a str,
    pub(super) event: &'a str,
    pub(super) event_id: &'a str,
    pub(super) group_id: &'a str,
}

impl From<Text<'_>> for CustomNotification {
    fn from(text: Text<'_>) -> Self {
        let (module, job_id) = (plain(text.module), plain(text.job_id));
        Self {
            version: "1.0",
            source: "custom",
            id: text.event_id.to_owned(),
            content: Content {
                text_type: "client-markdown",
                title: plain(text.title),
                description: plain(&text.lines.join("\n")),
                next_steps: text.advice.map(plain).into_iter().collect(),
                keywords: vec![module.clone(), text.event.to_owned()],
            },
            metadata: Metadata {
                thread_id: text.group_id.to_owned(),
                summary: format!("Zoho CRM {module} owner change, job {job_id}"),
                event_type: text.event.to_owned(),
                related_resources: vec![job_id],
            },
        }
    }
}

/// Text without what chats read as markup, links, or mentions: an error can quote what a server or a caller sent.
fn plain(text: &str) -> String {
    text.chars().map(|c| if "<>@*~`[]|".contains(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_is_markup() {
        for (text, expected) in [
            ("49,500 of 50,000 updated, 500 failed", "49,500 of 50,000 updated, 500 failed"),
            ("Price_Books", "Price_Books"),
            ("<!channel> <https://example.com|click>", " !channel   https://example.com click "),
            ("@here [click](https://example.com)", " here  click (https://example.com)"),
            ("*bold* ~struck~ `code`", " bold   struck   code "),
        ] {
            assert_eq!(plain(text), expected);
        }
    }
}
