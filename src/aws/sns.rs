//! Publishing to an SNS topic.

use crate::aws::sdk;
use crate::error::{ErrorType, WatchError};
use crate::redact;
use crate::watch::message::Message;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

/// One SNS topic, standard or FIFO.
#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic with this ARN.
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Publishes and returns the message ID.
    pub async fn publish(&self, message: &Message) -> Result<String, WatchError> {
        let topic_arn = &self.arn;
        let mut request = self
            .client
            .publish()
            .topic_arn(topic_arn)
            .message_structure("json")
            .subject(&message.subject)
            .message(&message.body);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|error| failed(topic_arn, &redact::causes(&error)))?;
            request = request.message_attributes(*name, value);
        }
        if topic_arn.ends_with(".fifo") {
            request = request.message_group_id(&message.group_id).message_deduplication_id(&message.event_id);
        }
        match request.send().await {
            Ok(answer) => Ok(answer.message_id.unwrap_or_default()),
            Err(error) => Err(failed(topic_arn, &sdk::summary(&error))),
        }
    }
}

fn failed(topic_arn: &str, what: &str) -> WatchError {
    WatchError::new(
        ErrorType::NotificationFailed,
        format!(
            "SNS did not take the message for {topic_arn} ({what}). Check STATUS_TOPIC_ARN, and that the role has sns:Publish (and kms:GenerateDataKey and kms:Decrypt for an encrypted topic)"
        ),
    )
}
