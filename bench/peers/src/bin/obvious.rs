//! The check as the documentation of its libraries would have it: every client with its defaults, made once, the
//! secret read once. It notifies nobody and retries nothing of Zoho's.

#![expect(clippy::disallowed_methods, reason = "the function's own rules keep out what is measured here")]

use anyhow::Context;
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde::{Deserialize, Serialize};
use std::env;

#[derive(Deserialize)]
struct Secret {
    access_token: String,
}

#[derive(Deserialize)]
struct Request {
    module: String,
    job_id: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Job>,
}

#[derive(Deserialize, Serialize)]
struct Job {
    #[serde(rename(deserialize = "Status"))]
    status: String,
    #[serde(rename(deserialize = "Total_Count"))]
    total_count: u64,
    #[serde(rename(deserialize = "Updated_Count"))]
    updated_count: u64,
    #[serde(rename(deserialize = "Not_Updated_Count"))]
    not_updated_count: u64,
    #[serde(rename(deserialize = "Failed_Count"))]
    failed_count: u64,
}

struct Checker {
    http: reqwest::Client,
    api_domain: String,
    token: String,
}

impl Checker {
    async fn from_env() -> anyhow::Result<Self> {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let secret = aws_sdk_secretsmanager::Client::new(&config)
            .get_secret_value()
            .secret_id(env::var("ZOHO_SECRET_ID")?)
            .send()
            .await?;
        let secret: Secret = serde_json::from_str(secret.secret_string().context("the secret is binary")?)?;
        Ok(Self { http: reqwest::Client::new(), api_domain: env::var("ZOHO_API_DOMAIN")?, token: secret.access_token })
    }

    async fn check(&self, event: LambdaEvent<Request>) -> anyhow::Result<Job> {
        let Request { module, job_id } = event.payload;
        let url = format!("{}/crm/v8/{module}/actions/mass_change_owner", self.api_domain);
        let answer: Answer = self
            .http
            .get(url)
            .query(&[("job_id", &job_id)])
            .header("Authorization", format!("Zoho-oauthtoken {}", self.token))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let job = answer.data.into_iter().next().context("no job in the answer")?;
        tracing::info!(module, job_id, status = job.status, "check");
        Ok(job)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let checker = Checker::from_env().await?;
    lambda_runtime::run(service_fn(async |event| checker.check(event).await)).await
}
