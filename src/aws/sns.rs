//! Publishing to an SNS topic.

use crate::aws::errors::{Meaning, Operation};
use crate::aws::http::preconnect;
use crate::aws::reporter::{AwsError, Reporter};
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

    /// Opens the connection that publishing will need.
    pub async fn preconnect(&self) {
        preconnect(self.client.publish().topic_arn(&self.arn).message("-").send()).await;
    }

    /// Publishes and returns the message ID.
    ///
    /// # Errors
    ///
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
                None => self.reporter.error(
                    Operation::Publish,
                    &self.arn,
                    Meaning::NotAws,
                    "a response without a message ID",
                ),
            },
            Err(error) => self.reporter.report(Operation::Publish, &self.arn, &error),
        };
        let AwsError { message, .. } = error;
        Err(WatchError::new(ErrorType::NotificationFailed, message))
    }
}
