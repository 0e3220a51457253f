//! Lambda's Runtime API for one process: hands out events, takes answers, and times what lies between.

use crate::http::{Request, Server, response};
use anyhow::{Context, Result, bail};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The answer to one event.
pub struct Answer {
    /// Whether it was a response, not an error.
    pub ok: bool,
    pub body: Vec<u8>,
    /// When it was there.
    pub at: Instant,
    /// From the handing out of its event to its arrival.
    pub took: Duration,
}

/// One process's Runtime API.
pub struct RuntimeApi {
    server: Server,
    events: Sender<Vec<u8>>,
    answers: Receiver<Answer>,
    ready: Receiver<Instant>,
}

impl RuntimeApi {
    pub fn start() -> Result<Self> {
        let (events, next) = channel::<Vec<u8>>();
        let (answered, answers) = channel();
        let (waiting, ready) = channel();
        let next = Mutex::new(next);
        let handed_out = Mutex::new(Instant::now());
        let (answered, waiting) = (Mutex::new(answered), Mutex::new(waiting));
        let server = Server::start(
            None,
            Arc::new(move |request: &Request| {
                // A poisoned lock or a closed channel is the end of the run, which ends these threads as well.
                if request.target.ends_with("/invocation/next") {
                    let _run_is_over = waiting.lock().map(|waiting| waiting.send(Instant::now()));
                    let Ok(event) = next.lock().unwrap().recv() else { return Vec::new() };
                    let answer = response("200 OK", &event_headers(), &event);
                    *handed_out.lock().unwrap() = Instant::now();
                    return answer;
                }
                let at = Instant::now();
                let took = at.duration_since(*handed_out.lock().unwrap());
                let ok = request.target.ends_with("/response");
                let answer = Answer { ok, body: request.body.clone(), at, took };
                let _run_is_over = answered.lock().unwrap().send(answer);
                response("202 Accepted", "Content-Type: application/json\r\n", br#"{"status":"OK"}"#)
            }),
        )?;
        Ok(Self { server, events, answers, ready })
    }

    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// Queues an event; it is handed out as soon as it is asked for.
    pub fn send(&self, event: &str) -> Result<()> {
        self.events.send(event.as_bytes().to_vec()).context("the Runtime API has ended")
    }

    /// Waits until the process asks for an event: the end of INIT, or of a call.
    pub fn wait_until_ready(&self) -> Result<Instant> {
        self.ready.recv_timeout(PATIENCE).context("the process does not ask for an event")
    }

    /// Waits for the next answer, which has to be a response.
    pub fn answer(&self) -> Result<Answer> {
        let answer = self.answers.recv_timeout(PATIENCE).context("the process gives no answer")?;
        if !answer.ok {
            bail!("the process answered with an error: {}", String::from_utf8_lossy(&answer.body));
        }
        Ok(answer)
    }

    /// One event, start to end.
    pub fn invoke(&self, event: &str) -> Result<Answer> {
        self.send(event)?;
        self.answer()
    }
}

fn event_headers() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline = (now + Duration::from_secs(30)).as_millis();
    format!(
        "Content-Type: application/json\r\n\
         Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:watch\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n"
    )
}
