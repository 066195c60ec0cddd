//! The REST API as seen from outside, and what its errors mean to scripts.

use std::{path::Path, time::Duration};

use quorate_domain::problem::Problem;
use quorate_drivers::Secret;
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, redirect};
use serde_json::Value;
use url::Url;

use crate::{cli::output, exit::Exit};

const PATIENCE: Duration = Duration::from_secs(70);
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The console said no.
    Problem(Box<Problem>),
    /// The request never arrived.
    NobodyAnswered(String),
    /// The request was sent, and no answer came back.
    NoAnswer(String),
    /// What came back is not from a console.
    NotUnderstood(String),
    /// Anything else, with its exit code.
    Ended(Exit, String),
}

impl Failure {
    /// Says what went wrong on stderr.
    pub fn tell(&self) -> Exit {
        match self {
            Self::Problem(problem) => tell_problem(problem),
            Self::NobodyAnswered(text) => {
                output::tell(format!("quorate: nobody answered: {text}"));
                output::tell("quorate: is QUORATE_URL the console's address, and does it run?");
            }
            Self::NoAnswer(text) | Self::NotUnderstood(text) | Self::Ended(_, text) => {
                output::tell(format!("quorate: {text}"));
            }
        }
        self.exit()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Problem(problem) => exit_of(problem),
            Self::NobodyAnswered(_) | Self::NoAnswer(_) => Exit::NobodyAnswered,
            Self::NotUnderstood(_) => Exit::Failed,
            Self::Ended(exit, _) => *exit,
        }
    }
}

fn exit_of(problem: &Problem) -> Exit {
    match (problem.status, problem.code.as_str()) {
        (401 | 403, _) => Exit::NotAllowed,
        (409, "cluster-moved") => Exit::Moved,
        (422, _) => Exit::Refused,
        (400 | 413 | 415, _) => Exit::Usage,
        (502..=504, code) if code != "audit-unavailable" => Exit::NobodyAnswered,
        _ => Exit::Failed,
    }
}

fn tell_problem(problem: &Problem) {
    // Some of these words are the backend's.
    let tell = |line: String| output::tell(output::plain(&line));
    tell(format!("quorate: {} [{}]", problem.title, problem.code));
    if let Some(detail) = &problem.detail {
        tell(format!("  {detail}"));
    }
    for check in &problem.checks {
        // Names in the sentence keep their letters.
        let level = format!("{:?}", check.level).to_lowercase();
        tell(format!("  {level}: {}", check.text));
    }
    for moved in &problem.moved {
        tell(format!("  {moved}"));
    }
    tell(format!("  {}", problem.hint));
    if !problem.request_id.is_empty() {
        tell(format!("  request {}", problem.request_id));
    }
}

pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Secret,
}

impl Client {
    /// # Errors
    /// What is wrong with address, token or authorities, in words.
    pub fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let token = std::env::var("QUORATE_TOKEN").unwrap_or_default();
        if token.trim().is_empty() {
            return Err("set QUORATE_TOKEN to an API token (`quorate token create`)".to_owned());
        }
        let address = format!("{}/api/v1/", url.trim_end_matches('/'));
        let base = Url::parse(&address)
            .ok()
            .filter(|base| matches!(base.scheme(), "http" | "https") && base.has_host())
            .ok_or_else(|| format!("QUORATE_URL is no address of a console: {url}"))?;
        Ok(Self {
            http: http(ca_file)?,
            base,
            token: Secret::new(token.trim()),
        })
    }

    /// A call; `path` is made of segments, so that no name can leave its place.
    pub fn call(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        self.http
            .request(method, url)
            .bearer_auth(self.token.reveal())
    }

    pub async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Failure> {
        let mut call = self.call(Method::GET, path);
        if !query.is_empty() {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(query);
            let (client, request) = call.build_split();
            let mut request =
                request.map_err(|error| Failure::NobodyAnswered(error.to_string()))?;
            request.url_mut().set_query(Some(&pairs.finish()));
            call = RequestBuilder::from_parts(client, request);
        }
        json(send(call.timeout(PATIENCE)).await?).await
    }

    pub async fn post(
        &self,
        path: &[&str],
        body: &Value,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut call = self.call(Method::POST, path).json(body).timeout(PATIENCE);
        if let Some(key) = key {
            call = call.header("idempotency-key", key);
        }
        json(send(call).await?).await
    }
}

fn http(ca_file: Option<&Path>) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("quorate-ctl/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_WAIT);
    let builder = match ca_file {
        Some(path) => {
            let pem = std::fs::read(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            builder.tls_certs_merge(authorities)
        }
        None => builder,
    };
    builder.build().map_err(|error| error.to_string())
}

/// Sends a call and makes a [`Failure`] of every answer that is none.
pub async fn send(call: RequestBuilder) -> Result<Response, Failure> {
    let response = call.send().await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            Failure::NobodyAnswered(chain(&error))
        } else {
            Failure::NoAnswer(format!("no answer came back: {}", chain(&error)))
        }
    })?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    match serde_json::from_str::<Problem>(&text) {
        Ok(problem) => Err(Failure::Problem(Box::new(problem))),
        Err(_) => Err(not_a_console(status)),
    }
}

async fn json(response: Response) -> Result<Value, Failure> {
    let status = response.status();
    let text = response
        .text()
        .await
        .map_err(|error| Failure::NoAnswer(format!("the answer broke off: {}", chain(&error))))?;
    serde_json::from_str(&text).map_err(|_| not_a_console(status))
}

fn not_a_console(status: StatusCode) -> Failure {
    Failure::NotUnderstood(format!(
        "the answer (status {}) is not a console's; is QUORATE_URL right?",
        status.as_u16()
    ))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
