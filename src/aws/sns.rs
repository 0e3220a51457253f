//! Publishing to an SNS topic.

use crate::aws::errors::{self, Meaning, Reporter};
use crate::error::{ErrorType, WatchError};
use crate::watch::message::Message;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

/// One SNS topic, standard or FIFO.
#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    reporter: Reporter,
    arn: String,
}

impl Topic {
    pub(crate) fn new(client: Client, reporter: Reporter, arn: String) -> Self {
        Self { client, reporter, arn }
    }

    /// Publishes and returns the message ID.
    /// `NotificationFailed`, also if SNS does not confirm the message with an ID.
    pub async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let mut request = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .message_structure("json")
            .subject(&message.subject)
            .message(&message.body);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value);
            // Fails only without a data type.
            if let Ok(value) = value.build() {
                request = request.message_attributes(*name, value);
            }
        }
        if self.arn.ends_with(".fifo") {
            request = request.message_group_id(&message.group_id).message_deduplication_id(&message.event_id);
        }
        let error = match request.send().await {
            Ok(output) => match output.message_id.filter(|id| !id.is_empty()) {
                Some(id) => return Ok(id),
                None => {
                    let returned = "a response without a message ID";
                    self.reporter.error(&errors::PUBLISH, &self.arn, Meaning::NotAws, returned)
                }
            },
            Err(error) => self.reporter.report(&errors::PUBLISH, &self.arn, &error),
        };
        Err(WatchError::new(ErrorType::NotificationFailed, error.message))
    }
}
